import { AlignError } from '../align/errors.ts';
import type { TemplateId } from '../align/prompt.ts';
import { VARIANTS, type Variant } from '../align/variant.ts';
import { MANIFEST_PATH, type ModelManifest } from '../convert/manifest.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import type { ModelLocation } from '../../workers/protocol.ts';
import type { AnyLocation } from './engine-client.ts';

/** A model that can be used at once: a converted one, or one that a server runs. */
export interface ConvertedModel {
  /** Unique among the models shown: the served id, `picked:` and the folder's name, or `server:`, its address and its id. */
  id: string;
  name: string;
  /** Where the weights came from: a hub id, a file name. */
  source: string;
  /** The hub's commit; undefined where the folder does not say. */
  revision?: string;
  /** Undefined when unknown: the user chooses the template. */
  family: TemplateId | undefined;
  /** Undefined where a server does not tell. */
  parameterCount: number | undefined;
  /** Undefined where a server does not tell. */
  contextLength: number | undefined;
  /** At least one, in the order of `VARIANTS`; none of a server's model, whose variant is the server's. */
  variants: readonly { variant: Variant; sizeBytes: number }[];
  location: AnyLocation;
}

/** Which converted models there are. */
export interface ModelLibrary {
  /**
   * The models that the page's server offers. An entry that is damaged is left out and named in `problems`.
   *
   * @returns `runsModels`: it also runs one itself, for whoever calls it
   * @throws AlignError `weights-unreachable` if there is no list
   */
  list(): Promise<{ models: ConvertedModel[]; problems: AlignError[]; runsModels: boolean }>;
  /**
   * The model in a folder that the visitor picked. Only its manifest is read.
   *
   * @param files  all files of the folder; paths begin with the folder's name, as `webkitRelativePath` gives them
   * @throws AlignError `weights-missing` if it is no whole converted folder, `weights-corrupt` if its manifest is damaged
   */
  open(files: readonly PickedFile[]): Promise<ConvertedModel>;
}

export interface PickedFile {
  path: string;
  blob: Blob;
}

/**
 * @param indexUrl  absolute address of the list: `[{ id, baseUrl, manifest }]`, each `baseUrl` relative to the list's
 *   page or absolute
 */
export function createModelLibrary(indexUrl: string, fetchIndex: typeof fetch = fetch): ModelLibrary {
  return {
    async list() {
      const { entries, runsModels } = await readIndex(indexUrl, fetchIndex);
      const models: ConvertedModel[] = [];
      const problems: AlignError[] = [];
      for (const entry of entries) {
        try {
          models.push(servedModel(entry, indexUrl));
        } catch (error) {
          if (!(error instanceof AlignError)) throw error;
          problems.push(error);
        }
      }
      return { models, problems, runsModels };
    },
    open: openPicked,
  };
}

async function readIndex(
  indexUrl: string,
  fetchIndex: typeof fetch,
): Promise<{ entries: unknown[]; runsModels: boolean }> {
  const unreachable = (why: string, cause?: unknown) =>
    new AlignError('weights-unreachable', `The list of models at ${indexUrl} ${why}.`, {
      cause,
      details: { indexUrl },
    });
  let response: Response;
  try {
    response = await fetchIndex(indexUrl, { cache: 'no-cache' });
  } catch (cause) {
    throw unreachable('did not answer', cause);
  }
  if (!response.ok) throw unreachable(`answered ${response.status}`);
  let entries: unknown;
  try {
    entries = await response.json();
  } catch (cause) {
    throw unreachable('is not JSON', cause);
  }
  if (!Array.isArray(entries)) throw unreachable('is not a list');
  // As our own server says beside the list (RFC 8631).
  const runsModels = /rel="?service-desc"?/.test(response.headers.get('link') ?? '');
  return { entries: entries as unknown[], runsModels };
}

function servedModel(entry: unknown, indexUrl: string): ConvertedModel {
  const { id, baseUrl, manifest } = (entry ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || typeof baseUrl !== 'string') {
    throw new AlignError('weights-corrupt', `An entry in the list of models at ${indexUrl} has no id or no address.`);
  }
  const address = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`, indexUrl).href;
  return convertedModel(id, parseManifest(JSON.stringify(manifest ?? null), id), { kind: 'url', baseUrl: address });
}

async function openPicked(files: readonly PickedFile[]): Promise<ConvertedModel> {
  const name = files[0]?.path.split('/')[0] ?? 'The folder';
  const inside = files.map(({ path, blob }) => ({ path: path.split('/').slice(1).join('/'), blob }));
  const manifestFile = inside.find(({ path }) => path === MANIFEST_PATH);
  if (manifestFile === undefined) {
    throw new AlignError(
      'weights-missing',
      `“${name}” has no ${MANIFEST_PATH} among its ${files.length} files: it is not a converted model.`,
      { details: { folder: name, fileCount: files.length } },
    );
  }
  const sizeBytes = manifestFile.blob.size;
  if (sizeBytes > MAX_MANIFEST_BYTES) {
    throw new AlignError(
      'weights-corrupt',
      `${MANIFEST_PATH} of “${name}” is ${sizeBytes} bytes long; that is no manifest.`,
    );
  }
  const manifest = parseManifest(await manifestFile.blob.text(), name);
  return convertedModel(`picked:${name}`, manifest, { kind: 'files', name, files: inside });
}

function convertedModel(id: string, manifest: ModelManifest, location: ModelLocation): ConvertedModel {
  const variants = VARIANTS.flatMap((variant) => {
    const files = manifest.variants[variant];
    return files === undefined ? [] : [{ variant, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) }];
  });
  if (variants.length === 0) {
    throw new AlignError('weights-missing', `“${manifest.name}” holds no variant that this program can run.`, {
      details: { id },
    });
  }
  const { name, source, family, parameterCount, config } = manifest;
  return { id, name, source, family, parameterCount, contextLength: config.contextLength, variants, location };
}
