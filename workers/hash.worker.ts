import { expose } from 'comlink';
import { createSha256, type Sha256 } from '../src/weights/sha256.ts';
import { installErrorTransfer } from './protocol.ts';

const hashes = new Map<number, Sha256>();
let made = 0;

function find(id: number): Sha256 {
  const hash = hashes.get(id);
  if (hash === undefined) throw new Error(`There is no hash ${id}; this is a bug.`);
  return hash;
}

/** Hashes for the weights' worker, which names each by the number that `create` gave. Calls are served in their order. */
const api = {
  async create(state?: Uint8Array): Promise<number> {
    const hash = await createSha256(state);
    hashes.set(++made, hash);
    return made;
  },
  update(id: number, bytes: Uint8Array): void {
    find(id).update(bytes);
  },
  save: (id: number): Uint8Array => find(id).save(),
  digest(id: number): string {
    const digest = find(id).digest();
    hashes.delete(id);
    return digest;
  },
};

export type HashWorkerApi = typeof api;

installErrorTransfer();
expose(api);
