import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TargetFolder } from '../../src/convert/byte-source.ts';
import type { ManifestFile } from '../../src/convert/manifest.ts';
import type { ClassifierParts } from '../../src/engines/classifier.ts';
import { createNodeTarget, openNodeFolder } from '../../src/weights/node-folder.ts';

export interface ConvertedSession extends Pick<ClassifierParts, 'session' | 'Tensor'> {
  /** Removes what was converted. The session is released before. */
  remove: () => Promise<void>;
}

/**
 * A session on a model that is converted for this run: converting copies its weights once. What a kill leaves behind lies in
 * the system's temporary folder.
 *
 * @param convert  writes the model's files
 * @throws what converting and the session throw
 */
export async function startConvertedSession(
  convert: (target: TargetFolder) => Promise<readonly ManifestFile[]>,
  threads: number | undefined,
): Promise<ConvertedSession> {
  const { startNodeSession } = await import('../../src/engines/node-classifier.ts');
  const directory = await mkdtemp(join(tmpdir(), 'metaaligner-scorer-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const files = await convert(createNodeTarget(directory));
    const folder = await openNodeFolder(directory);
    const sources = await Promise.all(files.map(async (file) => ({ ...file, source: await folder.open(file.path) })));
    const started = await startNodeSession({ directory, ...(threads !== undefined && { threads }) })(sources);
    return { ...started, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
