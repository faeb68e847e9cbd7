import type { NodeTable } from './node-table.ts';
import { ABREAST, walksOver, type Walk } from './tree-walk.ts';

/** Rows whose cells stay in the processor's cache while one tree after the other is walked. */
const BLOCK = 512;
/** Deeper trees are looked at now and then: many rows arrive long before the last. */
const SHALLOW = 8;
const STEPS = 4;
const PAGE = 65_536;

const memory = new WebAssembly.Memory({ initial: 1 });
const walks = walksOver(memory);
let present: NodeTable | undefined;

/**
 * What the trees of a table say of rows, as sums: [rows, table.sums], row-major. The memory is one for all models of a
 * process, since V8 sets 8 GB of addresses aside for each: the table that is used next is copied in.
 *
 * @param cells [rows, table.columns], row-major
 */
export function walkTrees(table: NodeTable, cells: Float32Array, rows: number): Float32Array {
  const { columns, sums } = table;
  const rowsAt = aligned(table.bytes.length);
  const sumsAt = rowsAt + aligned(4 * BLOCK * columns);
  makePresent(table, sumsAt + 4 * BLOCK * sums);
  const floats = new Float32Array(memory.buffer);
  const totals = new Float32Array(rows * sums);
  for (let from = 0; from < rows; from += BLOCK) {
    const some = Math.min(BLOCK, rows - from);
    const own = cells.subarray(from * columns, (from + some) * columns);
    floats.set(own, rowsAt / 4);
    const walked = Math.ceil(some / ABREAST) * ABREAST;
    floats.fill(0, sumsAt / 4, sumsAt / 4 + walked * sums);
    const walk = walkFor(table, own);
    const [end, width] = [sumsAt + 4 * walked * sums, 4 * sums];
    for (const { address, depth } of table.trees) {
      walk(address, depth <= SHALLOW ? Math.max(1, depth) : STEPS, rowsAt, 4 * columns, sumsAt, end, width);
    }
    totals.set(floats.subarray(sumsAt / 4, sumsAt / 4 + some * sums), from * sums);
  }
  return totals;
}

function makePresent(table: NodeTable, bytes: number): void {
  const lacking = bytes - memory.buffer.byteLength;
  if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE));
  if (present === table) return;
  new Uint8Array(memory.buffer).set(table.bytes);
  present = table;
}

/** NaN fails every test by itself; only where a test wants it on its other side do the slower walks matter. */
function walkFor({ sums, treatsMissing }: NodeTable, cells: Float32Array): Walk {
  if (treatsMissing && holdNaN(cells)) return sums === 1 ? walks.oneMissing : walks.severalMissing;
  return sums === 1 ? walks.one : walks.several;
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
