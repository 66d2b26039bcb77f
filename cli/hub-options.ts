import { type Command, InvalidArgumentError } from 'commander';
import { HUB_ENDPOINT } from '../src/weights/hub.ts';
import type { RemoteClient } from '../src/weights/remote-client.ts';
import { note, type ProgressLine } from './terminal.ts';

/** Where the hub is, and who asks. */
export interface HubOptions {
  hub: string;
  tokenEnv: string;
}

export function addHubOptions(command: Command): Command {
  return command
    .option('--hub <origin>', 'the hub, or a mirror that speaks its API', parseEndpoint, HUB_ENDPOINT)
    .option('--token-env <name>', 'environment variable that holds an access token for gated models', 'HF_TOKEN');
}

/** A client that says when it tries again. */
export async function createHubClient({ hub, tokenEnv }: HubOptions, progress: ProgressLine): Promise<RemoteClient> {
  const { RemoteClient } = await import('../src/weights/remote-client.ts');
  const token = process.env[tokenEnv];
  return new RemoteClient({
    access: token === undefined || token === '' ? undefined : { origin: new URL(hub).origin, token },
    onRetry: (error, delayMs) => {
      progress.end();
      note(`${error.message} Trying again in ${(delayMs / 1000).toFixed(1)} s.`);
    },
  });
}

function parseEndpoint(text: string): string {
  const endpoint = text.replace(/\/+$/, '');
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new InvalidArgumentError('It must be an address such as https://huggingface.co.');
  }
  return endpoint;
}
