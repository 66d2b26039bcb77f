import { basename } from 'node:path';
import { align } from '../src/align/align.ts';
import type { AlignRequest } from '../src/align/request.ts';
import { readAll } from '../src/convert/byte-source.ts';
import { NODE_SUPPORT } from '../src/engines/choose-variant.ts';
import { DecodeLoop } from '../src/engines/decode-loop.ts';
import { loadModel } from '../src/engines/load-model.ts';
import { readRowsModel } from '../src/engines/rows-model.ts';
import { WasmDecoder } from '../src/engines/wasm-decoder.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import { compileKernels } from '../scripts/kernels-plugin.ts';

/** What a folder's q8 writes in the kernels for wasm, on one thread of Node and without relaxed SIMD. */
export async function editOfKernels(directory: string, request: AlignRequest): Promise<string> {
  const { plain } = await compileKernels();
  const { model } = await loadModel(await openNodeFolder(directory), {
    support: { ...NODE_SUPPORT, devices: ['wasm'] },
    wish: { device: 'wasm', variant: 'q8' },
    async startEngine({ config, files: [graph, ...dataFiles] }) {
      const decoder = await WasmDecoder.create({
        model: readRowsModel(await readAll(graph!.source))!,
        externalData: dataFiles.map(({ path, source }) => ({ name: basename(path), source })),
        binaries: { plain, relaxed: new Uint8Array() },
        prefillChunkTokens: 64,
        threads: 1,
      });
      return new DecodeLoop(decoder, config);
    },
  });
  let edit = '';
  for await (const event of align(request, model, new AbortController().signal)) {
    if (event.type === 'edit-end') edit = event.edit;
  }
  await model.engine.dispose();
  return edit;
}
