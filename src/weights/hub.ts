import { AlignError } from '../align/errors.ts';
import { MANIFEST_PATH } from '../convert/manifest.ts';
import { isInsidePath, MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import type { RemoteClient } from './remote-client.ts';
import type { FileDigest, RemoteFile, RemoteRepository } from './remote-repository.ts';
import { sha256Hex } from './sha256.ts';

/** Where the hub is unless a mirror is set. */
export const HUB_ENDPOINT = 'https://huggingface.co';

/** What a user names a model by. */
export type ModelReference =
  | { kind: 'hub'; id: string; revision: string }
  /** A folder that holds metaaligner.json, on any static host. */
  | { kind: 'url'; url: string };

const HUB_ID = /^[\w][\w.-]*(?:\/[\w][\w.-]*)?$/;
/** A listing has at most 1,000 entries a page; a model repository has a few dozen. */
const MAX_PAGES = 50;
const MAX_PAGE_BYTES = 8 << 20;

/**
 * @param text  `owner/name`, `owner/name@revision`, a model page's address at `endpoint`, or a folder's address
 * @throws AlignError `invalid-request`
 */
export function parseModelReference(text: string, endpoint: string = HUB_ENDPOINT): ModelReference {
  const trimmed = text.trim();
  const fromEndpoint = trimmed.startsWith(`${endpoint}/`) ? trimmed.slice(endpoint.length + 1) : undefined;
  if (fromEndpoint !== undefined) {
    const [owner = '', name = '', tree, revision = 'main'] = fromEndpoint.split('/');
    const id = `${owner}/${name}`;
    if (HUB_ID.test(id) && (tree === undefined || tree === '' || tree === 'tree')) return { kind: 'hub', id, revision };
    if (tree === 'resolve' && trimmed.endsWith('/')) return { kind: 'url', url: trimmed };
  } else if (/^https?:\/\//i.test(trimmed) && URL.canParse(trimmed)) {
    return { kind: 'url', url: trimmed.endsWith('/') ? trimmed : `${trimmed}/` };
  } else {
    const [id = '', revision = 'main', ...rest] = trimmed.split('@');
    if (HUB_ID.test(id) && revision !== '' && rest.length === 0) return { kind: 'hub', id, revision };
  }
  throw new AlignError(
    'invalid-request',
    `“${trimmed}” is neither a hub id (owner/name) nor the address of a folder (https://…).`,
    { details: { reference: trimmed } },
  );
}

/**
 * Lists a repository of the hub, or of a mirror that speaks its API, at the commit that `revision` names now. All
 * addresses hold the commit, so what is downloaded later is what was listed.
 *
 * @param revision  branch, tag or commit
 * @param options.type  of the repository; a model's by default
 * @throws AlignError `access-denied` (gated, private, or no such repository: without a token the hub does not tell
 *   which), `weights-missing`, and what {@link RemoteClient} throws
 * @see https://huggingface.co/docs/hub/api
 */
export async function openHubRepository(
  reference: { id: string; revision: string },
  client: Pick<RemoteClient, 'smallFile'>,
  options: { endpoint?: string; signal?: AbortSignal | undefined; type?: 'models' | 'datasets' } = {},
): Promise<RemoteRepository> {
  const { endpoint = HUB_ENDPOINT, signal, type = 'models' } = options;
  const { id } = reference;
  const place = type === 'models' ? id : `${type}/${id}`;
  try {
    const api = `${endpoint}/api/${type}/${id}`;
    const info = await readJson(client, `${api}/revision/${encodeURIComponent(reference.revision)}`, signal);
    const commit = (info.json as { sha?: unknown } | null)?.sha;
    if (typeof commit !== 'string' || !/^[0-9a-f]{7,64}$/.test(commit)) throw unreadable(info.url, 'has no commit');
    const files: RemoteFile[] = [];
    let next: string | undefined = `${api}/tree/${commit}?recursive=true`;
    for (let page = 0; next !== undefined; page += 1) {
      if (page === MAX_PAGES) throw unreadable(next, `is more than ${MAX_PAGES} pages long`);
      const { json, url, headers } = await readJson(client, next, signal);
      if (!Array.isArray(json)) throw unreadable(url, 'is not a list');
      for (const entry of json as unknown[]) {
        const file = parseEntry(entry, (path) => `${endpoint}/${place}/resolve/${commit}/${encodePath(path)}`);
        if (file !== undefined) files.push(file);
      }
      next = nextPage(headers.get('link'), endpoint);
    }
    return { name: id, kind: 'hub', revision: commit, files };
  } catch (error) {
    throw explain(error, place, endpoint);
  }
}

/**
 * Lists a folder of ours on a static host by its metaaligner.json.
 *
 * @throws what {@link RemoteClient} and `parseManifest` throw
 */
export async function openUrlRepository(
  url: string,
  client: Pick<RemoteClient, 'smallFile'>,
  signal?: AbortSignal,
): Promise<RemoteRepository> {
  const manifestUrl = new URL(MANIFEST_PATH, url).href;
  const { bytes } = await client.smallFile(manifestUrl, MAX_MANIFEST_BYTES, signal);
  const { variants, sidecars } = parseManifest(new TextDecoder().decode(bytes), url);
  const revision = await sha256Hex(bytes);
  const own: RemoteFile = {
    path: MANIFEST_PATH,
    url: manifestUrl,
    sizeBytes: bytes.length,
    digest: { algorithm: 'sha256', hex: revision },
  };
  const listed = [...Object.values(variants).flat(), ...sidecars].map(({ path, sizeBytes, sha256 }) => ({
    path,
    url: new URL(encodePath(path), url).href,
    sizeBytes,
    digest: sha256 === undefined ? undefined : ({ algorithm: 'sha256', hex: sha256 } as const),
  }));
  return { name: url, kind: 'url', revision, files: [own, ...listed] };
}

async function readJson(
  client: Pick<RemoteClient, 'smallFile'>,
  url: string,
  signal: AbortSignal | undefined,
): Promise<{ json: unknown; url: string; headers: Headers }> {
  const { bytes, headers } = await client.smallFile(url, MAX_PAGE_BYTES, signal);
  try {
    return { json: JSON.parse(new TextDecoder().decode(bytes)), url, headers };
  } catch (cause) {
    throw unreadable(url, 'is not JSON', cause);
  }
}

/** @returns undefined for a folder, and for a file whose path no folder of ours could hold */
function parseEntry(entry: unknown, urlOf: (path: string) => string): RemoteFile | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { type, path, size, oid, lfs } = entry as Record<string, unknown>;
  if (type !== 'file' || typeof path !== 'string' || !isInsidePath(path) || !isSize(size)) return undefined;
  return { path, url: urlOf(path), sizeBytes: size, digest: parseDigest(lfs, oid) };
}

function parseDigest(lfs: unknown, oid: unknown): FileDigest | undefined {
  if (typeof lfs === 'object' && lfs !== null) {
    const hash = (lfs as Record<string, unknown>).oid;
    return typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) ? { algorithm: 'sha256', hex: hash } : undefined;
  }
  return typeof oid === 'string' && /^[0-9a-f]{40}$/.test(oid) ? { algorithm: 'git-blob', hex: oid } : undefined;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** @param link  `<https://…?cursor=…>; rel="next"`; a mirror may hand on the hub's own origin, which is not asked */
function nextPage(link: string | null, endpoint: string): string | undefined {
  const address = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (address === undefined || !URL.canParse(address, endpoint)) return undefined;
  const { pathname, search } = new URL(address, endpoint);
  return new URL(pathname + search, endpoint).href;
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function unreadable(url: string, what: string, cause?: unknown): AlignError {
  return new AlignError('weights-unreachable', `The hub’s answer at ${url} ${what}.`, {
    cause,
    details: { url, status: 200 },
  });
}

/** Says in the user's terms what the hub's refusal of a repository means. */
function explain(error: unknown, id: string, endpoint: string): unknown {
  if (!(error instanceof AlignError)) return error;
  const details = { ...error.details, id, page: `${endpoint}/${id}` };
  if (error.code === 'access-denied') {
    const isGated = error.details.hubCode === 'GatedRepo' || error.details.status === 403;
    const fact = isGated
      ? `${id} is gated: its terms must be accepted at ${endpoint}/${id} before the hub gives out its files.`
      : `The hub gives no access to ${id}: there is no such repository, or it is private.`;
    return new AlignError('access-denied', fact, { cause: error, details });
  }
  if (error.code === 'weights-missing') {
    const what = error.details.hubCode === 'RevisionNotFound' ? 'such revision of' : 'repository';
    return new AlignError('weights-missing', `There is no ${what} ${id} at ${endpoint}.`, { cause: error, details });
  }
  return error;
}
