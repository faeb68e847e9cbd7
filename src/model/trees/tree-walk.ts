import { ARRIVED, COLUMN, FLAGS, NEXT, SLOT, THRESHOLD } from './node-table.ts';
import { f32, i32, local, loop, wasmModule, type Code, type WasmFunction } from './wasm-code.ts';

/** Rows that go down a tree together: the steps of one wait for memory while those of the others are computed. */
export const ABREAST = 8;

/** Parameters: the root, steps between looks whether all have arrived, rows, bytes of a row, sums, their end, bytes of a row's sums. */
const [ROOT, STEPS, ROWS, STRIDE, SUMS, END, WIDTH] = [0, 1, 2, 3, 4, 5, 6] as const;
const PARAMETERS = 7;
const NODE = (row: number): number => PARAMETERS + row;
const CELLS = (row: number): number => PARAMETERS + ABREAST + row;
const [LEVEL, FROM, TO, LAST, VALUE] = [0, 1, 2, 3, 4].map((place) => PARAMETERS + 2 * ABREAST + place) as [
  number,
  number,
  number,
  number,
  number,
];

/** Adds what one tree says of rows to their sums. */
export type Walk = (
  root: number,
  steps: number,
  rows: number,
  stride: number,
  sums: number,
  end: number,
  width: number,
) => void;

/** Of leaves with one weight or with several; `Missing` where rows may hold NaN that a test sends to low. */
export type Walks = Readonly<Record<'one' | 'several' | 'oneMissing' | 'severalMissing', Walk>>;

/** Walks down trees in WebAssembly: eight rows at a time and without a jump, where a processor would guess one test in two wrongly. */
export function walksOver(memory: WebAssembly.Memory): Walks {
  const code = wasmModule([
    walk('one', compared, addWeight),
    walk('several', compared, addWeights),
    walk('oneMissing', comparedOrMissing, addWeight),
    walk('severalMissing', comparedOrMissing, addWeights),
  ]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { from: { memory } });
  return exports as Walks;
}

function walk(name: keyof Walks, test: (row: number) => Code, add: (row: number) => Code): WasmFunction {
  const words = Array.from({ length: 2 * ABREAST + 4 }, () => 'i32' as const);
  return {
    name,
    parameters: PARAMETERS,
    locals: [...words, 'f32'],
    body: loop(
      abreast(begin),
      loop(
        [...local.get(STEPS), ...local.set(LEVEL)],
        loop(
          abreast((row) => step(row, test)),
          [...local.get(LEVEL), ...i32.constant(1), ...i32.subtract, ...local.tee(LEVEL)],
        ),
        someOnTheWay(),
      ),
      abreast(add),
      [...local.get(ROWS), ...timesAbreast(STRIDE), ...i32.add, ...local.set(ROWS)],
      [...local.get(SUMS), ...timesAbreast(WIDTH), ...i32.add, ...local.tee(SUMS)],
      [...local.get(END), ...i32.isBelow],
    ),
  };
}

function abreast(code: (row: number) => Code): Code {
  return Array.from({ length: ABREAST }, (_, row) => code(row)).flat();
}

function timesAbreast(size: number): Code {
  return [...local.get(size), ...i32.constant(ABREAST), ...i32.multiply];
}

/** Puts a row at the root, and finds its cells. */
function begin(row: number): Code {
  const cells = [...local.get(ROWS), ...local.get(STRIDE), ...i32.constant(row), ...i32.multiply, ...i32.add];
  return [...local.get(ROOT), ...local.set(NODE(row)), ...cells, ...local.set(CELLS(row))];
}

/** next + (test passed ? 0 : 1) slots. */
function step(row: number, test: (row: number) => Code): Code {
  const high = [...test(row), ...i32.isZero, ...i32.constant(Math.log2(SLOT)), ...i32.shiftLeft];
  return [...local.get(NODE(row)), ...i32.load(NEXT), ...high, ...i32.add, ...local.set(NODE(row))];
}

function cell(row: number): Code {
  return [...local.get(CELLS(row)), ...local.get(NODE(row)), ...i32.load(COLUMN), ...i32.add, ...f32.load(0)];
}

function compared(row: number): Code {
  return [...cell(row), ...local.get(NODE(row)), ...f32.load(THRESHOLD), ...f32.isAtMost];
}

/** NaN is at most nothing, and differs from itself; the flag of NaN is the lowest bit. */
function comparedOrMissing(row: number): Code {
  const atMost = [...cell(row), ...local.tee(VALUE), ...local.get(NODE(row)), ...f32.load(THRESHOLD), ...f32.isAtMost];
  const isNaN = [...local.get(VALUE), ...local.get(VALUE), ...f32.differs];
  return [...atMost, ...isNaN, ...local.get(NODE(row)), ...i32.load(FLAGS), ...i32.and, ...i32.or];
}

function someOnTheWay(): Code {
  const flags = (row: number): Code => [...local.get(NODE(row)), ...i32.load(FLAGS), ...(row === 0 ? [] : i32.and)];
  return [...abreast(flags), ...i32.constant(ARRIVED), ...i32.and, ...i32.isZero];
}

function addWeight(row: number): Code {
  const sum = [...local.get(SUMS), ...f32.load(4 * row)];
  return [
    ...local.get(SUMS),
    ...sum,
    ...local.get(NODE(row)),
    ...f32.load(THRESHOLD),
    ...f32.add,
    ...f32.store(4 * row),
  ];
}

function addWeights(row: number): Code {
  const sums = [...local.get(SUMS), ...local.get(WIDTH), ...i32.constant(row), ...i32.multiply, ...i32.add];
  const sum = [...local.get(TO), ...f32.load(0), ...local.get(FROM), ...f32.load(0), ...f32.add];
  const from = [...local.get(NODE(row)), ...i32.load(THRESHOLD), ...local.tee(FROM)];
  const ends = [...sums, ...local.set(TO), ...from, ...local.get(WIDTH), ...i32.add, ...local.set(LAST)];
  const each = loop(
    [...local.get(TO), ...sum, ...f32.store(0)],
    [...local.get(TO), ...i32.constant(4), ...i32.add, ...local.set(TO)],
    [...local.get(FROM), ...i32.constant(4), ...i32.add, ...local.tee(FROM), ...local.get(LAST), ...i32.isBelow],
  );
  return [...ends, ...each];
}
