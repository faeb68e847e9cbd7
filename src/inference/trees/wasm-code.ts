/** WebAssembly's binary format, as much of it as a module needs that imports a memory and exports functions without results. */

/** Instructions, encoded. */
export type Code = readonly number[];

const END = 0x0b;

type Types = Readonly<Record<'i32' | 'f32', number>>;
const TYPES: Types = { i32: 0x7f, f32: 0x7d };

/** A function: how many parameters it has, all of them i32, the types of its further locals, and what it does. */
export type WasmFunction = {
  readonly name: string;
  readonly parameters: number;
  readonly locals: readonly (keyof Types)[];
  readonly body: Code;
};

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number): Code => [0x21, ...unsigned(index)],
  tee: (index: number): Code => [0x22, ...unsigned(index)],
};

/** Addresses are those of four bytes each. */
export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  load: (offset: number): Code => [0x28, 2, ...unsigned(offset)],
  isZero: [0x45],
  isBelow: [0x49],
  add: [0x6a],
  subtract: [0x6b],
  multiply: [0x6c],
  and: [0x71],
  or: [0x72],
  shiftLeft: [0x74],
} as const;

export const f32 = {
  load: (offset: number): Code => [0x2a, 2, ...unsigned(offset)],
  store: (offset: number): Code => [0x38, 2, ...unsigned(offset)],
  differs: [0x5c],
  isAtMost: [0x5f],
  add: [0x92],
} as const;

/** Runs `body`, which leaves a number, and again as long as that is not zero. */
export function loop(...body: readonly Code[]): Code {
  return [0x03, 0x40, ...body.flat(), 0x0d, 0, END];
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A module of functions over the memory that is imported as `memory` of `from`. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const memory = [...text('from'), ...text('memory'), 2, 0, ...unsigned(1)];
  const types = functions.map(({ parameters }) => [
    0x60,
    ...list(Array.from({ length: parameters }, () => [TYPES.i32])),
    0,
  ]);
  const indices = functions.map((_, index) => unsigned(index));
  const exported = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]);
  const codes = functions.map(({ locals, body }) => {
    const declared = locals.map((type) => [...unsigned(1), TYPES[type]]);
    return sized([...list(declared), ...body, END]);
  });
  return Uint8Array.from([
    ...MAGIC,
    ...section(1, types),
    ...section(2, [memory]),
    ...section(3, indices),
    ...section(7, exported),
    ...section(10, codes),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  return [id, ...sized(list(entries))];
}

function list(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function sized(code: Code): Code {
  return [...unsigned(code.length), ...code];
}

function text(name: string): Code {
  return sized([...Buffer.from(name)]);
}

/** LEB128: seven bits a byte, the lowest first; the eighth says that more follow. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const low = value & 0x7f;
  const ends = value >= -0x40 && value < 0x40;
  return ends ? [low] : [low | 0x80, ...signed(value >> 7)];
}
