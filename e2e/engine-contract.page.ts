import { wrap } from 'comlink';
import type { ContractModel, ContractWorker, FoundScores } from './engine-contract.worker.ts';

/** A model's files come through `page.evaluate`, which carries JSON. */
export type ContractModelJson = Omit<ContractModel, 'graph' | 'externalData'> & {
  graph: FileJson;
  externalData: FileJson[];
};
interface FileJson {
  name: string;
  base64: string;
}

const worker = wrap<ContractWorker>(
  new Worker(new URL('./engine-contract.worker.ts', import.meta.url), { type: 'module' }),
);

const decode = ({ name, base64 }: FileJson) => ({
  name,
  bytes: Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)),
});

export const contract = {
  isolated: crossOriginIsolated,
  use: ({ graph, externalData, ...model }: ContractModelJson) =>
    worker.use({ ...model, graph: decode(graph), externalData: externalData.map(decode) }),
  run: (name: string) => worker.run(name),
  loseDevice: () => worker.loseDevice(),
  compiledIn: worker.compiledIn,
  differenceBySize: worker.differenceBySize,
  countSteps: worker.countSteps,
  writeBothWays: worker.writeBothWays,
  // Comlink's type makes two promises of it.
  findScores: (...given: Parameters<ContractWorker['findScores']>): Promise<FoundScores[] | string> =>
    worker.findScores(...given),
};

declare global {
  interface Window {
    contract: typeof contract;
  }
}
window.contract = contract;
