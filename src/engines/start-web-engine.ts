import { AlignError } from '../align/errors.ts';
import { readAll } from '../convert/byte-source.ts';
import { draftTrust } from './drafter.ts';
import { toEngineError } from './engine-error.ts';
import type { ModelFile, StartEngine } from './load-model.ts';
import { readRowsModel } from './rows-model.ts';
import { createRowsEngine, createWebEngine, type WebEngineOptions, type WebFile } from './web-engine.ts';

/**
 * For `loadModel` in a page: reads the files into memory, then starts ORT on them; 8-bit rows on wasm go into the memory of our own
 * kernels as they are read.
 */
export function startWebEngine(options: Pick<WebEngineOptions, 'threads' | 'ortFiles' | 'createThread'>): StartEngine {
  return async ({ choice, config, files, onProgress, signal }) => {
    const { device } = choice;
    if (device === 'cpu') throw new AlignError('invalid-request', 'A page has no cpu engine; its CPU runs wasm.');
    const totalBytes = files.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    let readBytes = 0;
    const read = async (file: ModelFile): Promise<WebFile> => {
      const { path, source } = file;
      const onFileProgress = (loadedBytes: number) =>
        onProgress({ phase: 'reading', file: path, loadedBytes: readBytes + loadedBytes, totalBytes });
      onFileProgress(0);
      const bytes = await readAll(source, { signal, onProgress: onFileProgress }).catch((error: unknown) => {
        signal.throwIfAborted();
        // The platform's word for a file that does not fit.
        throw error instanceof RangeError ? toEngineError(error, device, `reading ${path}`) : error;
      });
      readBytes += source.sizeBytes;
      return { name: nameOf(file), bytes };
    };
    const [graphFile, ...dataFiles] = files;
    if (graphFile === undefined) throw new Error('A variant without files; this is a bug.');
    const graph = await read(graphFile);
    const onStarting = () => onProgress({ phase: 'starting', file: graph.name, loadedBytes: totalBytes, totalBytes });
    const ourConfig = { ...config, ...draftTrust(choice.variant, device) };
    const model = device === 'wasm' ? readRowsModel(graph.bytes) : undefined;
    if (model !== undefined) {
      const externalData = dataFiles.map((file) => {
        const before = readBytes;
        readBytes += file.source.sizeBytes;
        const onRead = (loadedBytes: number) =>
          onProgress({ phase: 'reading', file: file.path, loadedBytes: before + loadedBytes, totalBytes });
        return { name: nameOf(file), source: file.source, onProgress: onRead, signal };
      });
      const { threads, createThread } = options;
      const rowsOptions = { externalData, onPacked: onStarting, threads, createThread, config: ourConfig };
      return createRowsEngine(model, rowsOptions);
    }
    const externalData: WebFile[] = [];
    for (const file of dataFiles) externalData.push(await read(file));
    onStarting();
    return createWebEngine({ ...options, device, graph, externalData, config: ourConfig });
  };
}

function nameOf({ path }: ModelFile): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
