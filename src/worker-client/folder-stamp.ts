import { MANIFEST_PATH } from '../convert/manifest.ts';
import type { ModelLocation } from '../../workers/protocol.ts';

/** An answer that takes longer tells nothing: nobody waits for it. */
const STAMP_MS = 2000;

/**
 * What changes when a folder under an address is converted anew: its manifest is written last, so what its server says of that file
 * tells of the whole.
 *
 * @returns undefined where nothing tells: a folder from disk, a model that the browser keeps, no network. Never throws
 */
export async function stampOfFolder(location: ModelLocation): Promise<string | undefined> {
  if (location.kind !== 'url') return undefined;
  try {
    const signal = AbortSignal.timeout(STAMP_MS);
    const response = await fetch(location.baseUrl + MANIFEST_PATH, { method: 'HEAD', cache: 'no-cache', signal });
    if (!response.ok) return undefined;
    return response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
  } catch {
    return undefined;
  }
}
