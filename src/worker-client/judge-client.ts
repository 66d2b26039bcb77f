import { AlignError } from '../align/errors.ts';
import { chat, type ChatMessage } from '../batch/chat-endpoint.ts';
import type { ModelEndpoint } from '../batch/post-with-back-off.ts';

export interface JudgeClient {
  /**
   * @throws AlignError as `chat`, and at once where the page's Content-Security-Policy does not let it speak to the host;
   *   the signal's reason
   */
  ask(
    endpoint: ModelEndpoint,
    question: { messages: readonly ChatMessage[]; temperature: number },
    signal: AbortSignal,
  ): Promise<string>;
}

/** Servers that speak OpenAI's chat interface, asked from the page. */
export function createJudgeClient(): JudgeClient {
  return {
    async ask(given, { messages, temperature }, signal) {
      // As documentation of servers often gives it.
      const endpoint = { ...given, url: given.url.replace(/\/chat\/completions\/?$/, '') };
      const { origin } = new URL(endpoint.url);
      const blocked = new AbortController();
      // The browser says no more than "failed"; without this it would be tried again and again.
      const onViolation = ({ blockedURI }: SecurityPolicyViolationEvent) => {
        if (blockedURI.startsWith(origin)) blocked.abort(notAllowed(origin));
      };
      document.addEventListener('securitypolicyviolation', onViolation);
      try {
        const content = { model: endpoint.model, messages, temperature };
        return (await chat(endpoint, content, { signal: AbortSignal.any([signal, blocked.signal]) })).text;
      } finally {
        document.removeEventListener('securitypolicyviolation', onViolation);
      }
    },
  };
}

function notAllowed(origin: string): AlignError {
  return new AlignError(
    'server-unreachable',
    `This page is not allowed to speak to ${origin}. Start it with “npm start -- --server ${origin}”.`,
    { details: { origin } },
  );
}
