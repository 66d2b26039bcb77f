/**
 * Uniform numbers from a seed: xoshiro128** 1.1 (Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c),
 * its four words filled by SplitMix64 from the seed, as the authors advise and Rust's `rand_xoshiro` does in
 * `seed_from_u64`. `Math.random` takes no seed, and its algorithm differs between browsers.
 */
export class SeededRandom {
  readonly #state: Uint32Array;

  /** @param seed  unsigned 32-bit */
  constructor(seed: number) {
    const words = new BigUint64Array(2);
    let position = BigInt(seed);
    for (let i = 0; i < 2; i++) {
      position = BigInt.asUintN(64, position + 0x9e3779b97f4a7c15n);
      let word = position;
      word = BigInt.asUintN(64, (word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n);
      word = BigInt.asUintN(64, (word ^ (word >> 27n)) * 0x94d049bb133111ebn);
      words[i] = word ^ (word >> 31n);
    }
    // Low half first, whatever the machine's byte order.
    this.#state = Uint32Array.from([...words].flatMap((word) => [Number(word & 0xffffffffn), Number(word >> 32n)]));
  }

  /** @returns unsigned 32-bit */
  nextUint32(): number {
    // Read one by one: an iterator over the array takes three times as long, and a bootstrap draws millions.
    const state = this.#state;
    const [s0, s1, s2, s3] = [state[0]!, state[1]!, state[2]!, state[3]!];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    state[0] = s0 ^ t3;
    state[1] = s1 ^ t2;
    state[2] = t2 ^ (s1 << 9);
    state[3] = rotateLeft(t3, 11);
    return result;
  }

  /** @returns 53 random bits as a fraction, at least 0 and below 1 */
  nextFraction(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
