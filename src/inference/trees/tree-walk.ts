import { ARRIVED, COLUMN, FLAGS, NEXT, SLOT, THRESHOLD } from './node-table.ts';
import { f32, i32, local, loop, wasmModule, type Code, type WasmFunction } from './wasm-code.ts';

/** Walks that are done together: the steps of one wait for memory while those of the others are computed. */
export const ABREAST = 8;

/**
 * Parameters: the root, or where there are roots; steps between looks whether all have arrived; rows; bytes of a row; sums; the
 * end of sums, or of roots; bytes of a row's sums.
 */
const [ROOT, STEPS, ROWS, STRIDE, SUMS, END, WIDTH] = [0, 1, 2, 3, 4, 5, 6] as const;
const PARAMETERS = 7;
const NODE = (lane: number): number => PARAMETERS + lane;
const CELLS = (lane: number): number => PARAMETERS + ABREAST + lane;
const [LEVEL, FROM, TO, LAST, VALUE] = [0, 1, 2, 3, 4].map((place) => PARAMETERS + 2 * ABREAST + place) as [
  number,
  number,
  number,
  number,
  number,
];

/** Adds what trees say of rows to their sums. */
type Walk = (
  root: number,
  steps: number,
  rows: number,
  stride: number,
  sums: number,
  end: number,
  width: number,
) => void;

/** Of leaves with one weight or with several; `Missing` where rows may hold NaN that a test sends to low. */
export type Kind = 'one' | 'several' | 'oneMissing' | 'severalMissing';

/** Eight rows at a time down a tree, or a row down eight trees at a time. */
export type Walks = Readonly<Record<Kind, { readonly rowsAbreast: Walk; readonly treesAbreast: Walk }>>;

/** What eight walks have in common, and what each has for itself. */
type Lanes = {
  /** Puts a lane at its root, with the address of its cells. */
  readonly begin: (lane: number) => Code;
  /** Whether each has sums of its own. */
  readonly areApart: boolean;
  /** Goes on to the next eight; leaves whether there are any. */
  readonly next: Code;
};

const ROWS_ABREAST: Lanes = {
  begin: (lane) => {
    const cells = [...local.get(ROWS), ...local.get(STRIDE), ...i32.constant(lane), ...i32.multiply, ...i32.add];
    return [...local.get(ROOT), ...local.set(NODE(lane)), ...cells, ...local.set(CELLS(lane))];
  },
  areApart: true,
  next: [
    ...local.get(ROWS),
    ...timesAbreast(STRIDE),
    ...i32.add,
    ...local.set(ROWS),
    ...local.get(SUMS),
    ...timesAbreast(WIDTH),
    ...i32.add,
    ...local.tee(SUMS),
    ...local.get(END),
    ...i32.isBelow,
  ],
};

const TREES_ABREAST: Lanes = {
  begin: (lane) => [
    ...local.get(ROOT),
    ...i32.load(4 * lane),
    ...local.set(NODE(lane)),
    ...local.get(ROWS),
    ...local.set(CELLS(lane)),
  ],
  areApart: false,
  next: [
    ...local.get(ROOT),
    ...i32.constant(4 * ABREAST),
    ...i32.add,
    ...local.tee(ROOT),
    ...local.get(END),
    ...i32.isBelow,
  ],
};

/** Walks down trees in WebAssembly: eight at a time and without a jump, where a processor would guess one test in two wrongly. */
export function walksOver(memory: WebAssembly.Memory): Walks {
  const [rows, trees] = [moduleOf(memory, ROWS_ABREAST), moduleOf(memory, TREES_ABREAST)];
  const of = (kind: Kind): Walks[Kind] => ({ rowsAbreast: rows[kind], treesAbreast: trees[kind] });
  return { one: of('one'), several: of('several'), oneMissing: of('oneMissing'), severalMissing: of('severalMissing') };
}

function moduleOf(memory: WebAssembly.Memory, lanes: Lanes): Readonly<Record<Kind, Walk>> {
  const code = wasmModule([
    walk('one', lanes, compared, addWeight),
    walk('several', lanes, compared, addWeights),
    walk('oneMissing', lanes, comparedOrMissing, addWeight),
    walk('severalMissing', lanes, comparedOrMissing, addWeights),
  ]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { from: { memory } });
  return exports as Record<Kind, Walk>;
}

type Add = (lanes: Lanes, lane: number) => Code;

function walk(name: Kind, lanes: Lanes, test: (lane: number) => Code, add: Add): WasmFunction {
  const words = Array.from({ length: 2 * ABREAST + 4 }, () => 'i32' as const);
  return {
    name,
    parameters: PARAMETERS,
    locals: [...words, 'f32'],
    body: loop(
      abreast(lanes.begin),
      loop(
        [...local.get(STEPS), ...local.set(LEVEL)],
        loop(
          abreast((lane) => step(lane, test)),
          [...local.get(LEVEL), ...i32.constant(1), ...i32.subtract, ...local.tee(LEVEL)],
        ),
        someOnTheWay(),
      ),
      abreast((lane) => add(lanes, lane)),
      lanes.next,
    ),
  };
}

function abreast(code: (lane: number) => Code): Code {
  return Array.from({ length: ABREAST }, (_, lane) => code(lane)).flat();
}

function timesAbreast(size: number): Code {
  return [...local.get(size), ...i32.constant(ABREAST), ...i32.multiply];
}

/** next + (test passed ? 0 : 1) slots. */
function step(lane: number, test: (lane: number) => Code): Code {
  const high = [...test(lane), ...i32.isZero, ...i32.constant(Math.log2(SLOT)), ...i32.shiftLeft];
  return [...local.get(NODE(lane)), ...i32.load(NEXT), ...high, ...i32.add, ...local.set(NODE(lane))];
}

function cell(lane: number): Code {
  return [...local.get(CELLS(lane)), ...local.get(NODE(lane)), ...i32.load(COLUMN), ...i32.add, ...f32.load(0)];
}

function compared(lane: number): Code {
  return [...cell(lane), ...local.get(NODE(lane)), ...f32.load(THRESHOLD), ...f32.isAtMost];
}

/** NaN is at most nothing, and differs from itself; the flag of NaN is the lowest bit. */
function comparedOrMissing(lane: number): Code {
  const atMost = [
    ...cell(lane),
    ...local.tee(VALUE),
    ...local.get(NODE(lane)),
    ...f32.load(THRESHOLD),
    ...f32.isAtMost,
  ];
  const isNaN = [...local.get(VALUE), ...local.get(VALUE), ...f32.differs];
  return [...atMost, ...isNaN, ...local.get(NODE(lane)), ...i32.load(FLAGS), ...i32.and, ...i32.or];
}

function someOnTheWay(): Code {
  const flags = (lane: number): Code => [...local.get(NODE(lane)), ...i32.load(FLAGS), ...(lane === 0 ? [] : i32.and)];
  return [...abreast(flags), ...i32.constant(ARRIVED), ...i32.and, ...i32.isZero];
}

function addWeight({ areApart }: Lanes, lane: number): Code {
  const beyond = areApart ? 4 * lane : 0;
  const weight = [...local.get(NODE(lane)), ...f32.load(THRESHOLD)];
  return [...local.get(SUMS), ...local.get(SUMS), ...f32.load(beyond), ...weight, ...f32.add, ...f32.store(beyond)];
}

function addWeights({ areApart }: Lanes, lane: number): Code {
  const beyond = [...local.get(WIDTH), ...i32.constant(areApart ? lane : 0), ...i32.multiply];
  const sums = [...local.get(SUMS), ...beyond, ...i32.add];
  const sum = [...local.get(TO), ...f32.load(0), ...local.get(FROM), ...f32.load(0), ...f32.add];
  const from = [...local.get(NODE(lane)), ...i32.load(THRESHOLD), ...local.tee(FROM)];
  const ends = [...sums, ...local.set(TO), ...from, ...local.get(WIDTH), ...i32.add, ...local.set(LAST)];
  const each = loop(
    [...local.get(TO), ...sum, ...f32.store(0)],
    [...local.get(TO), ...i32.constant(4), ...i32.add, ...local.set(TO)],
    [...local.get(FROM), ...i32.constant(4), ...i32.add, ...local.tee(FROM), ...local.get(LAST), ...i32.isBelow],
  );
  return [...ends, ...each];
}
