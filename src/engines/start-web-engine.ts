import { AlignError } from '../align/errors.ts';
import { readAll } from '../convert/byte-source.ts';
import { draftTrust } from './drafter.ts';
import { toEngineError } from './engine-error.ts';
import type { ModelFile, StartEngine } from './load-model.ts';
import { createWebEngine, type OrtFiles, type WebFile } from './web-engine.ts';

/** For `loadModel` in a page: reads the files into memory, then starts ORT on them. */
export function startWebEngine(options: { threads: number; ortFiles?: OrtFiles }): StartEngine {
  return async ({ choice, config, files, onProgress, signal }) => {
    const { device } = choice;
    if (device === 'cpu') throw new AlignError('invalid-request', 'A page has no cpu engine; its CPU runs wasm.');
    const totalBytes = files.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    let readBytes = 0;
    const read = async ({ path, source }: ModelFile): Promise<WebFile> => {
      const onFileProgress = (loadedBytes: number) =>
        onProgress({ phase: 'reading', file: path, loadedBytes: readBytes + loadedBytes, totalBytes });
      onFileProgress(0);
      const bytes = await readAll(source, { signal, onProgress: onFileProgress }).catch((error: unknown) => {
        signal.throwIfAborted();
        // The platform's word for a file that does not fit.
        throw error instanceof RangeError ? toEngineError(error, device, `reading ${path}`) : error;
      });
      readBytes += source.sizeBytes;
      return { name: path.slice(path.lastIndexOf('/') + 1), bytes };
    };
    const webFiles: WebFile[] = [];
    for (const file of files) webFiles.push(await read(file));
    const [graph, ...externalData] = webFiles;
    if (graph === undefined) throw new Error('A variant without files; this is a bug.');
    onProgress({ phase: 'starting', file: graph.name, loadedBytes: totalBytes, totalBytes });
    const ourConfig = { ...config, ...draftTrust(choice.variant, device) };
    return createWebEngine({ ...options, device, graph, externalData, config: ourConfig });
  };
}
