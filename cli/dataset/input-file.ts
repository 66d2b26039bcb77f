import type { Command } from 'commander';
import { fetchDatasetFile, parseDatasetAddress } from '../../src/weights/hub-dataset.ts';
import { addHubOptions, createHubClient, type HubOptions } from '../hub-options.ts';
import { formatBytes, ProgressLine } from '../terminal.ts';
import { asUsage } from '../usage-error.ts';

/** Of a command whose input may be at the hub. */
export interface InputOptions extends HubOptions {
  input: string;
  downloads: string;
}

/** @param what  is in the file */
export function addInputOptions(command: Command, what: string): Command {
  command
    .requiredOption('--input <file>', `${what}; a path or hf://datasets/OWNER/NAME/PATH`)
    .option('--downloads <folder>', 'where files of the hub are kept', 'datasets');
  return addHubOptions(command);
}

/** The path of the input, downloaded where it is at the hub; Ctrl-C ends the download, which goes on at the next call. */
export async function localInput(options: InputOptions): Promise<string> {
  const address = asUsage(() => parseDatasetAddress(options.input));
  if (address === undefined) return options.input;
  const progress = new ProgressLine();
  const aborter = new AbortController();
  const stop = () => aborter.abort(new DOMException('Interrupted', 'AbortError'));
  process.once('SIGINT', stop);
  try {
    return await fetchDatasetFile(address, {
      endpoint: options.hub,
      client: await createHubClient(options, progress),
      directory: options.downloads,
      signal: aborter.signal,
      onProgress: (loaded, total) =>
        progress.show('downloading', loaded / Math.max(total, 1), `${formatBytes(loaded)} of ${formatBytes(total)}`),
    });
  } finally {
    progress.end();
    process.off('SIGINT', stop);
  }
}
