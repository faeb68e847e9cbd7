import { RowRefusal } from './row-refusal.ts';
import { WireError } from '../protocol/wire-error.ts';

/** What JSON takes to parse: a number of a list 50 ns and 8 bytes, a text, a key, a list or an object up to 1.4 µs and 90 bytes. */
const MARK = 20;

export type Limits = { readonly row: number; readonly all: number };

const LIMITS: Limits = {
  /** At most 0.15 s to parse. A table has 1,600 columns at most. */
  row: 2_000_000,
  /** More than score_rows() sends: 1 MB of the shortest keys and lists. */
  all: 8_000_000,
};

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [LIST, OBJECT, END_OF_LIST, END_OF_OBJECT] = [0x5b, 0x7b, 0x5d, 0x7d];

/**
 * Counts the brackets, commas and quotes in rows of JSON before they are parsed.
 * @throws WireError 54000 where there are more of these than can be meant
 */
export function checkSize(text: string, limits = LIMITS): void {
  // What is shorter can't hold so many.
  if (text.length * MARK <= limits.row) return;
  const size = new RowSize(limits, /^\s*\[/.test(text));
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at + 1);
    size.add(code);
  }
  size.end();
}

class RowSize {
  readonly #limits: Limits;
  readonly #isList: boolean;
  #depth = 0;
  #all = 0;
  #row = 0;
  #rowBegan = 0;
  #tooLarge: number | undefined;

  constructor(limits: Limits, isList: boolean) {
    this.#limits = limits;
    this.#isList = isList;
  }

  add(code: number): void {
    if (code === QUOTE) this.#all += MARK;
    else if (code === COMMA) {
      this.#all += 1;
      if (this.#depth === 1 && this.#isList) this.#endRow();
    } else if (code === LIST || code === OBJECT) {
      this.#all += MARK;
      this.#depth += 1;
    } else if (code === END_OF_LIST || code === END_OF_OBJECT) this.#depth -= 1;
  }

  end(): void {
    this.#endRow();
    if (this.#tooLarge !== undefined) throw rowTooLarge(this.#tooLarge, this.#row, this.#limits);
    if (this.#all > this.#limits.all) throw rowsTooLarge(this.#limits);
  }

  #endRow(): void {
    if (this.#all - this.#rowBegan > this.#limits.row) this.#tooLarge ??= this.#row;
    this.#row += 1;
    this.#rowBegan = this.#all;
  }
}

function endOfString(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); at < text.length && code !== QUOTE; code = text.charCodeAt(at))
    at += code === BACKSLASH ? 2 : 1;
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
