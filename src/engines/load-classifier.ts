import { AlignError } from '../align/errors.ts';
import { type ByteSource, readText, type SourceFolder } from '../convert/byte-source.ts';
import { parseJsonObject } from '../convert/checkpoint/json-reader.ts';
import { parseClassifierConfig } from '../convert/classifier/classifier-config.ts';
import { readClassifierManifest } from '../convert/classifier/classifier-manifest.ts';
import type { ClassifierVariant } from '../convert/onnx/sequence-classifier-graph.ts';
import { Classifier, type ClassifierParts } from './classifier.ts';

/** Starts a session on a graph and its external data: `startNodeSession` on disk. */
export type StartClassifierSession = (
  files: readonly { path: string; source: ByteSource }[],
) => Promise<Pick<ClassifierParts, 'session' | 'Tensor' | 'device'>>;

/**
 * Loads a converted classifier's folder.
 *
 * @throws AlignError `weights-missing` where a file or the wanted variant is not there; `weights-corrupt`,
 *   `unsupported-model`; what the session throws
 */
export async function loadClassifier(
  folder: SourceFolder,
  variant: ClassifierVariant,
  startSession: StartClassifierSession,
): Promise<Classifier> {
  const manifest = await readClassifierManifest(folder);
  const files = manifest.variants[variant];
  if (files === undefined) {
    const there = Object.keys(manifest.variants).join(', ');
    throw new AlignError('weights-missing', `${folder.name} holds no ${variant}; it holds ${there}.`, {
      details: { folder: folder.name, variant },
    });
  }
  const readJson = async (path: string) => parseJsonObject(await readText(await folder.open(path)), path);
  const config = parseClassifierConfig(await readJson('config.json'), `${folder.name}/config.json`);
  const [tokenizerJson, tokenizerConfigJson] = [
    await readJson('tokenizer.json'),
    await readJson('tokenizer_config.json'),
  ];
  const sources = await Promise.all(files.map(async ({ path }) => ({ path, source: await folder.open(path) })));
  const started = await startSession(sources);
  try {
    return new Classifier({ config, tokenizerJson, tokenizerConfigJson, ...started });
  } catch (error) {
    await started.session.release();
    throw error;
  }
}
