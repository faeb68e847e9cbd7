import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { NodeTable } from './node-table.ts';

/** Rows whose cells stay in the processor's cache while one tree after the other is walked. */
const BLOCK = 512;
/** So few rows go down eight trees at a time, one after the other: of eight rows down a tree most would be none. */
export const FEW = 6;
/** Deeper trees are looked at now and then: many rows arrive long before the last. */
const SHALLOW = 8;
const STEPS = 4;
const PAGE = 65_536;

type Machine = {
  readonly memory: WebAssembly.Memory;
  readonly walks: Walks;
  floats: Float32Array;
  present?: NodeTable;
};

/** Rows in the memory: where their cells are, and their sums. */
type Block = { readonly rows: number; readonly cellsAt: number; readonly sumsAt: number };

/** Made when trees are first walked: where a process may not have the addresses, or no WebAssembly, ONNX Runtime goes on without. */
let machine: Machine | undefined;

function theMachine(): Machine {
  if (machine !== undefined) return machine;
  const memory = new WebAssembly.Memory({ initial: 1 });
  machine = { memory, walks: walksOver(memory), floats: new Float32Array(memory.buffer) };
  return machine;
}

/**
 * What the trees of a table say of rows, as sums: [rows, table.sums], row-major. The memory is one for all models of a
 * process, since V8 sets 8 GB of addresses aside for each: the table that is used next is copied in.
 *
 * @param cells [rows, table.columns], row-major
 */
export function walkTrees(table: NodeTable, cells: Float32Array, rows: number): Float32Array {
  const { columns, sums } = table;
  const own = theMachine();
  const cellsAt = aligned(table.bytes.length);
  const sumsAt = cellsAt + aligned(4 * BLOCK * columns);
  makePresent(own, table, sumsAt + 4 * BLOCK * sums);
  const { floats } = own;
  const totals = new Float32Array(rows * sums);
  for (let from = 0; from < rows; from += BLOCK) {
    const some = Math.min(BLOCK, rows - from);
    const given = some === rows ? cells : cells.subarray(from * columns, (from + some) * columns);
    floats.set(given, cellsAt / 4);
    floats.fill(0, sumsAt / 4, sumsAt / 4 + abreast(some) * sums);
    walkBlock(own.walks, table, kindOf(table, given), { rows: some, cellsAt, sumsAt });
    for (let at = 0; at < some * sums; at += 1) totals[from * sums + at] = floats[sumsAt / 4 + at] ?? Number.NaN;
  }
  return totals;
}

function makePresent(own: Machine, table: NodeTable, bytes: number): void {
  const lacking = bytes - own.memory.buffer.byteLength;
  if (lacking > 0) {
    own.memory.grow(Math.ceil(lacking / PAGE));
    own.floats = new Float32Array(own.memory.buffer);
  }
  if (own.present === table) return;
  new Uint8Array(own.memory.buffer).set(table.bytes);
  own.present = table;
}

/** The trees' order is kept, as a sum of floats depends on it. */
function walkBlock(walks: Walks, table: NodeTable, kind: Kind, { rows, cellsAt, sumsAt }: Block): void {
  const { trees, rootsAt, depth } = table;
  const [stride, width] = [4 * table.columns, 4 * table.sums];
  const eights = rows <= FEW ? trees.length - (trees.length % ABREAST) : 0;
  const [walkRows, walkTrees] = [walks[`rows${kind}` as const], walks[`trees${kind}` as const]];
  for (let row = 0; eights > 0 && row < rows; row += 1)
    walkTrees(rootsAt, stepsOf(depth), cellsAt + stride * row, sumsAt + width * row, rootsAt + 4 * eights, width);
  for (const tree of eights === 0 ? trees : trees.slice(eights))
    walkRows(tree.address, stepsOf(tree.depth), cellsAt, stride, sumsAt, sumsAt + width * abreast(rows), width);
}

function stepsOf(depth: number): number {
  return depth <= SHALLOW ? Math.max(1, depth) : STEPS;
}

function abreast(rows: number): number {
  return Math.ceil(rows / ABREAST) * ABREAST;
}

/** NaN fails every test by itself; only where a test wants it on its other side do the slower walks matter. */
function kindOf({ sums, treatsMissing }: NodeTable, cells: Float32Array): Kind {
  if (treatsMissing && holdNaN(cells)) return sums === 1 ? 'OneMissing' : 'SeveralMissing';
  return sums === 1 ? 'One' : 'Several';
}

function holdNaN(cells: Float32Array): boolean {
  // A sum is NaN where a cell is; where infinities cancel out too, which costs time only.
  let sum = 0;
  for (let index = 0; index < cells.length; index += 1) sum += cells[index] ?? 0;
  return Number.isNaN(sum);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** Walks that are done together: the steps of one wait for memory while those of the others are computed. */
const ABREAST = 8;

/** Of leaves with one weight or with several; `Missing` where rows may hold NaN that a test sends to low. */
type Kind = 'One' | 'Several' | 'OneMissing' | 'SeveralMissing';

type WalkRows = (
  root: number,
  steps: number,
  cells: number,
  stride: number,
  sums: number,
  end: number,
  width: number,
) => void;

type WalkTrees = (roots: number, steps: number, cells: number, sums: number, end: number, width: number) => void;

/** What tree-walk.as exports: eight rows at a time down a tree, or a row down eight trees at a time. Addresses are bytes. */
type Walks = Readonly<Record<`rows${Kind}`, WalkRows> & Record<`trees${Kind}`, WalkTrees>>;

/** Walks down trees that lie in `memory`. */
function walksOver(memory: WebAssembly.Memory): Walks {
  const file = createRequire(import.meta.url).resolve('#tree-walk');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env: { memory } });
  return exports as Walks;
}
