import { mulberry32, type Random } from '../lib/random.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Feature, Signature } from '../inference/signature.ts';
import type { NativeProgram } from './compile.ts';
import { edgesOf, oddValuesOf, ordinaryValue } from './proof-values.ts';
import type { Cell } from './proof-values.ts';
import type { Constant } from './term.ts';

const ORDINARY = 300;
/** Values about the thresholds of a column; of the thresholds themselves, all. */
const MOST_EDGES = 1300;
/** Ten thousand thresholds of one column are as many rows, of which a process has to hold what other columns are. */
const MOST_CELLS = 2_000_000;
const MOST_ODD = 400;

/** One element of a feature, and what it is compared with. */
type Element = { readonly feature: Feature; readonly critical: readonly Constant[] };

/**
 * Rows to prove a compiled function equal to ONNX Runtime with, the same at each call: ordinary ones; ones that hit every
 * threshold, one for each feature at a time, and the numbers beside it; categories known and unknown; NULL and NaN where
 * the version takes them, infinities and zeros. No row holds what the version refuses. There are 2,000 at most, or as many
 * more as a column has thresholds.
 */
export function proofRows({ critical }: NativeProgram, { features }: Signature): JsonRow[] {
  const random = mulberry32(7);
  const elements = features.map((feature, index) =>
    Array.from({ length: feature.width }, (_, element) => ({ feature, critical: critical.of(index, element) })),
  );
  const all = elements.flat();
  const row = (cellOf: (element: Element, index: number) => Cell): JsonRow => {
    let index = 0;
    const valueOf = (own: readonly Element[]) => own.map((element) => cellOf(element, index++));
    return Object.fromEntries(elements.map((own) => entryOf(own, valueOf(own))));
  };
  const ordinary = (element: Element) => ordinaryValue(element.feature, element.critical, random);
  return [
    ...Array.from({ length: ORDINARY }, () => row(ordinary)),
    ...edgeRows(all, random).map((cells) => row((element, index) => cells[index] ?? ordinary(element))),
    ...oddRows(all).map((cells) =>
      row((element, index) => (index in cells ? (cells[index] as Cell) : ordinary(element))),
    ),
  ];
}

/** A feature of many elements is an array, which is missing as a whole. */
function entryOf(own: readonly Element[], cells: readonly Cell[]): [string, unknown] {
  const name = own[0]?.feature.name ?? '';
  if (own.length === 1) return [name, cells[0]];
  return [name, cells.includes(null) ? null : cells];
}

function edgeRows(all: readonly Element[], random: Random): (Cell | undefined)[][] {
  const most = MOST_CELLS / all.length;
  const edges = all.map(({ feature, critical }) =>
    shuffled(edgesOf(feature, critical).slice(0, Math.max(MOST_EDGES, Math.min(critical.length, most))), random),
  );
  const length = Math.max(0, ...edges.map((own) => own.length));
  return Array.from({ length }, (_, row) => edges.map((own) => own[row]));
}

/** One odd value a row; where features are too many for that, one for each of them in every row. */
function oddRows(all: readonly Element[]): Record<number, Cell>[] {
  const values = all.map(({ feature }) => oddValuesOf(feature));
  const most = Math.max(0, ...values.map((own) => own.length));
  const each = values.flatMap((own, index) => own.map((value) => ({ [index]: value })));
  const together = Array.from({ length: most * 2 }, (_, row) =>
    Object.fromEntries(values.map((own, index) => [index, own[(row + (row < most ? 0 : index)) % own.length] ?? null])),
  );
  return each.length + together.length > MOST_ODD ? together : [...each, ...together];
}

function shuffled(cells: readonly Cell[], random: Random): readonly Cell[] {
  return cells
    .map((cell) => ({ cell, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ cell }) => cell);
}
