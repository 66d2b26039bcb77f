import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import type { Usage } from '../../src/align/edit.ts';
import type { KeyEntry } from '../keys.ts';

/** What is told of a request when its answer has ended. Nothing of what was asked or answered is in it, unless that is asked for. */
export interface LogEntry {
  time: string;
  event: 'request';
  /** Also in the answer's header `X-Request-Id`. */
  id: string;
  method: string;
  path: string;
  /** 499 where the client left before there was one. */
  status: number;
  /** From its headers to the end of its answer. */
  ms: number;
  /** Whose key it came with. */
  key?: string;
  promptTokens: number;
  editTokens: number;
  /** The first error's code; `left` when the client did not wait for the end. */
  error?: string;
  /** The body. Here and below: only where the texts are logged too. */
  request?: unknown;
  /** Each edit that was finished, whole; of a list, in the order in which they were. */
  edits?: readonly string[];
}

/** What the handlers of a request tell of it. */
export interface RequestFacts {
  id: string;
  key: KeyEntry | undefined;
  usage: Pick<Usage, 'promptTokens' | 'editTokens'>;
  errorCode: string | undefined;
  /** Undefined: nothing of them may be kept. */
  texts: { request?: unknown; edits: string[] } | undefined;
}

export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: { facts: RequestFacts };
}

const PATHS: readonly string[] = ['/v1/align', '/v1/completions', '/v1/chat/completions', '/v1/models'];

/** @param logsTexts  what was asked and answered is in the entries too */
export function requestLog(log: (entry: LogEntry) => void, logsTexts = false): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const startMs = performance.now();
    const time = new Date().toISOString();
    const facts: RequestFacts = {
      id: crypto.randomUUID(),
      key: undefined,
      usage: { promptTokens: 0, editTokens: 0 },
      errorCode: undefined,
      texts: logsTexts ? { edits: [] } : undefined,
    };
    context.set('facts', facts);
    const { method, path } = context.req;
    const { outgoing } = context.env;
    outgoing.once('close', () => {
      const error = outgoing.writableFinished ? facts.errorCode : (facts.errorCode ?? 'left');
      log({
        time,
        event: 'request',
        id: facts.id,
        method,
        // Another address may hold anything.
        path: PATHS.includes(path) ? path : 'other',
        status: outgoing.headersSent ? outgoing.statusCode : 499,
        ms: Math.round(performance.now() - startMs),
        ...(facts.key !== undefined && { key: facts.key.name }),
        ...facts.usage,
        ...(error !== undefined && { error }),
        ...facts.texts,
      });
    });
    await next();
    context.res.headers.set('X-Request-Id', facts.id);
  };
}
