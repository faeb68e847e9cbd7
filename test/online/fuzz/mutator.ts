/** The same numbers from 0 to 1 for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;

const LENGTHS = [0, 1, 3, 4, 5, -1, -(2 ** 31), 2 ** 31 - 1, 10_000, 10_001, 4096, 2 ** 20, 2 ** 24];
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\u0000',
  '\\ud800',
  'null',
  '1e999',
  '-',
  'NaN',
  '__proto__',
  ';',
  ' ',
];

export function pick<T>(random: Random, among: readonly T[]): T {
  const found = among[Math.floor(random() * among.length)];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

const MUTATIONS: ((random: Random, bytes: Buffer) => Buffer)[] = [
  (random, bytes) => {
    const flipped = Buffer.from(bytes);
    if (flipped.length > 0) flipped[place(random, flipped)]! ^= 1 << Math.floor(random() * 8);
    return flipped;
  },
  (random, bytes) => bytes.subarray(0, place(random, bytes)),
  (random, bytes) => bytes.subarray(place(random, bytes)),
  (random, bytes) => splice(bytes, place(random, bytes), 0, randomBytes(random)),
  (random, bytes) => splice(bytes, place(random, bytes), 0, Buffer.from(pick(random, TOKENS))),
  (random, bytes) => splice(bytes, place(random, bytes), Math.floor(random() * 8), Buffer.alloc(0)),
  (random, bytes) => {
    const [from, to] = [place(random, bytes), place(random, bytes)].sort((a, b) => a - b);
    return splice(bytes, from ?? 0, 0, bytes.subarray(from, to));
  },
  (random, bytes) => {
    const lying = Buffer.from(bytes);
    if (lying.length >= 5) lying.writeInt32BE(pick(random, LENGTHS), pick(random, [0, 1]));
    return lying;
  },
];

/** The bytes with one to three things wrong with them. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutated = bytes;
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1)
    mutated = pick(random, MUTATIONS)(random, mutated);
  return mutated;
}

function place(random: Random, bytes: Buffer): number {
  return Math.floor(random() * bytes.length);
}

function splice(bytes: Buffer, at: number, gone: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(Math.min(bytes.length, at + gone))]);
}

function randomBytes(random: Random): Buffer {
  return Buffer.from(Array.from({ length: 1 + Math.floor(random() * 16) }, () => Math.floor(random() * 256)));
}
