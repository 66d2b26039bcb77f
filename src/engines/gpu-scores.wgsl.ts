/** Threads of a row's workgroup: what every WebGPU device offers. */
const LANES = 256;

/**
 * Scores are read as bits and compared as whole numbers whose order is that of the floats, NaN above all of them. -0 and 0
 * are one.
 */
const COMMON = /* wgsl */ `
override vocabularySize: u32;

@group(0) @binding(0) var<storage, read> logits: array<u32>;

fn keyOf(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  if ((bits & 0x7fffffffu) == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}
`;

/**
 * Of each row the lowest id of the largest score and its key, and the first row's id once more as int64: what the next step
 * reads, if it reads that.
 */
export const LARGEST_SHADER = /* wgsl */ `${COMMON}
/** By row: token id, key. */
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
@group(0) @binding(2) var<storage, read_write> nextId: array<u32>;

var<workgroup> keys: array<u32, ${LANES}>;
var<workgroup> ids: array<u32, ${LANES}>;

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let start = group.x * vocabularySize;
  var bestKey = 0u;
  var bestId = 0xffffffffu;
  for (var id = lane; id < vocabularySize; id += ${LANES}u) {
    let key = keyOf(logits[start + id]);
    if (key > bestKey) {
      bestKey = key;
      bestId = id;
    }
  }
  keys[lane] = bestKey;
  ids[lane] = bestId;
  workgroupBarrier();
  for (var width = ${LANES / 2}u; width > 0u; width /= 2u) {
    if (lane < width) {
      let other = lane + width;
      if (keys[other] > keys[lane] || (keys[other] == keys[lane] && ids[other] < ids[lane])) {
        keys[lane] = keys[other];
        ids[lane] = ids[other];
      }
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    result[2u * group.x] = ids[0];
    result[2u * group.x + 1u] = keys[0];
    if (group.x == 0u) {
      nextId[0] = ids[0];
      nextId[1] = 0u;
    }
  }
}
`;

/**
 * Of each row the scores whose key is at least that of the count-th largest, in any order. That key is found digit by digit of
 * 8 bits: how many keys have each digit, of those that begin with the digits found before.
 */
export const TOP_SHADER = /* wgsl */ `${COMMON}
struct Wanted { count: u32, capacity: u32, unused: vec2u }

/** By row: how many were found, the largest key, then as many pairs of token id and bits as there is room for. */
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
@group(0) @binding(2) var<uniform> wanted: Wanted;

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> found: atomic<u32>;
var<workgroup> largest: atomic<u32>;
var<workgroup> prefix: u32;
var<workgroup> rest: u32;

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let start = group.x * vocabularySize;
  if (lane == 0u) {
    prefix = 0u;
    rest = wanted.count;
  }
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    atomicStore(&histogram[lane], 0u);
    workgroupBarrier();
    let known = prefix;
    for (var id = lane; id < vocabularySize; id += ${LANES}u) {
      let key = keyOf(logits[start + id]);
      // A shift by 32 is none in WGSL: the first digit has nothing before it.
      if (digit == 0u || (key >> (shift + 8u)) == known) {
        atomicAdd(&histogram[(key >> shift) & 0xffu], 1u);
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var value = 255u;
      loop {
        let here = atomicLoad(&histogram[value]);
        if (here >= rest || value == 0u) { break; }
        rest -= here;
        value -= 1u;
      }
      prefix = (known << 8u) | value;
    }
    workgroupBarrier();
  }
  let least = prefix;
  let rowStart = group.x * (2u + 2u * wanted.capacity);
  for (var id = lane; id < vocabularySize; id += ${LANES}u) {
    let bits = logits[start + id];
    let key = keyOf(bits);
    if (key >= least) {
      atomicMax(&largest, key);
      let at = atomicAdd(&found, 1u);
      if (at < wanted.capacity) {
        result[rowStart + 2u + 2u * at] = id;
        result[rowStart + 3u + 2u * at] = bits;
      }
    }
  }
  workgroupBarrier();
  if (lane == 0u) {
    result[rowStart] = atomicLoad(&found);
    result[rowStart + 1u] = atomicLoad(&largest);
  }
}
`;
