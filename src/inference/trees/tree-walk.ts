import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Walks that are done together: the steps of one wait for memory while those of the others are computed. */
export const ABREAST = 8;

/** Of leaves with one weight or with several; `Missing` where rows may hold NaN that a test sends to low. */
export type Kind = 'One' | 'Several' | 'OneMissing' | 'SeveralMissing';

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
export type Walks = Readonly<Record<`rows${Kind}`, WalkRows> & Record<`trees${Kind}`, WalkTrees>>;

/** Walks down trees that lie in `memory`. */
export function walksOver(memory: WebAssembly.Memory): Walks {
  const file = createRequire(import.meta.url).resolve('#tree-walk');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env: { memory } });
  return exports as Walks;
}
