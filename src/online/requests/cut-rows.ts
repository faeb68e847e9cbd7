import { RowRefusal } from './row-refusal.ts';
import { WireError } from '../protocol/wire-error.ts';

/**
 * What JSON takes to parse, by what can be counted before: a number of a list 50 ns and 8 bytes, a text, a key, a list or an
 * object up to 1.4 µs and 90 bytes, where every key is another.
 */
const MARK = 20;
const BYTES_OF_ONE = 5;
export type Limits = { readonly row: number; readonly all: number; readonly piece: number };

const LIMITS: Limits = {
  /** At most 0.15 s to parse; a table has 1,600 columns at most. */
  row: 2_000_000,
  /** 4 MB, which is what score_rows() sends, of the shortest keys and texts that there can be. */
  all: 24_000_000,
  piece: 500_000,
};

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [LIST, OBJECT, END_OF_LIST, END_OF_OBJECT] = [0x5b, 0x7b, 0x5d, 0x7d];

/** Rows of JSON as they are to be parsed one piece after the other. */
export type CutRows = {
  /** What they take of memory once they are parsed, about. */
  readonly bytes: number;
  /** The commas between rows at which the list is cut; none where it is short, or no list. */
  readonly cuts: readonly number[];
};

/**
 * Cuts a list of rows into pieces that do not take long to parse, by the brackets, commas and quotes in it alone.
 * @throws WireError 54000 where there are more of these than can be meant
 */
export function cutRows(text: Buffer, limits = LIMITS): CutRows {
  const cutter = new Cutter(limits);
  const isList = text[firstOf(text)] === LIST;
  let [depth, weight] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === QUOTE) {
      weight += MARK;
      at = endOfString(text, at + 1);
    } else if (byte === COMMA) {
      weight += 1;
      if (depth === 1 && isList) cutter.endRow(at, weight);
    } else if (byte === LIST || byte === OBJECT) {
      weight += MARK;
      depth += 1;
    } else if (byte === END_OF_LIST || byte === END_OF_OBJECT) depth -= 1;
  }
  return { cuts: cutter.end(weight), bytes: text.length + BYTES_OF_ONE * weight };
}

/** Each of the pieces as a list. */
export function* piecesOf(text: Buffer, cuts: readonly number[]): Generator<string> {
  let from = firstOf(text) + 1;
  for (const cut of cuts) {
    yield `[${text.toString('utf8', from, cut)}]`;
    from = cut + 1;
  }
  yield `[${text.toString('utf8', from)}`;
}

class Cutter {
  readonly #limits: Limits;
  readonly #cuts: number[] = [];
  #rows = 0;
  #rowBegan = 0;
  #pieceBegan = 0;
  #tooLarge: number | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  endRow(at: number, weight: number): void {
    if (weight - this.#rowBegan > this.#limits.row) this.#tooLarge ??= this.#rows;
    this.#rows += 1;
    this.#rowBegan = weight;
    if (weight - this.#pieceBegan < this.#limits.piece) return;
    this.#cuts.push(at);
    this.#pieceBegan = weight;
  }

  end(weight: number): number[] {
    if (weight - this.#rowBegan > this.#limits.row) this.#tooLarge ??= this.#rows;
    if (this.#tooLarge !== undefined) throw rowTooLarge(this.#tooLarge, this.#rows + 1, this.#limits);
    if (weight > this.#limits.all) throw rowsTooLarge(this.#limits);
    return this.#cuts;
  }
}

function firstOf(text: Buffer): number {
  let at = 0;
  while (at < text.length && (text[at] ?? 0) <= 0x20) at += 1;
  return at;
}

function endOfString(text: Buffer, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}

function rowTooLarge(index: number, rows: number, { row }: Limits): RowRefusal {
  const hint = 'Pass only the columns that the model takes, as in score(…, r) from (select a, b from …) r.';
  return new RowRefusal('54000', `the row holds more than ${told(row)}`, { hint }, index, rows);
}

function rowsTooLarge({ all }: Limits): WireError {
  return new WireError('54000', `the rows of a call hold more than ${told(all)}`, {
    hint: 'Give fewer rows at a time, or only the columns that the model takes; score whole tables with pgscore.score_table().',
  });
}

function told(limit: number): string {
  return `${limit / MARK} keys, texts, lists and objects, or ${limit} numbers`;
}
