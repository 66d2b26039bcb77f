import { IMHI_DATASETS, type ImhiDataset, isImhiDataset } from '../../src/evaluation/imhi-labels.ts';
import { listOutputs } from '../commands/evaluate/outputs.ts';
import { note } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** @returns the folder's files that are named after a data set; says which are not @throws UsageError where there is none */
export async function listImhiOutputs(folder: string): Promise<{ dataset: ImhiDataset; path: string }[]> {
  const files = await listOutputs(folder);
  const known = files.flatMap(({ dataset, path }) => {
    if (isImhiDataset(dataset)) return [{ dataset, path }];
    note(`${path} is left out: its name is no data set of IMHI.`);
    return [];
  });
  if (known.length > 0) return known;
  throw new UsageError(`${folder} has no file named after a data set: ${IMHI_DATASETS.join(', ')}.`);
}
