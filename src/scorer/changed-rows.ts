import type { Binary, Data, Int64 } from 'apache-arrow';
import type { DecodedBatch } from '../copy/batch.ts';
import { RowHasher } from '../copy/row-hash.ts';
import { takeRows } from '../copy/take-rows.ts';
import { duplicateKey } from '../runs/describe-failure.ts';
import type { Run } from '../runs/run.ts';
import type { ScorerContext } from './context.ts';
import { readBatches } from '../copy/read.ts';
import type { SourceColumn } from '../copy/source-column.ts';
import { hashesQuery } from './write-predictions.ts';

/** If more rows have changed than both of these, scoring all rows costs less than replacing some. */
const FEW_ROWS = 10_000;
const MOST_CHANGED = 0.25;
/**
 * Most bytes of changed rows, which wait in memory until all were read, and of rows that are read ahead while hashes
 * are read.
 */
const MOST_BYTES = 256 * 1024 * 1024;
const MOST_AHEAD = 64 * 1024 * 1024;

/** Finds the rows of a source that differ from those that the target was made from. */
export class Comparison {
  unchanged = 0;
  /** The context of the job; unchanged rows count as progress, too. */
  readonly context: ScorerContext;
  readonly #run: Run;
  readonly #hasher: RowHasher;
  #known = new KnownHashes(0);
  #changed = 0;
  #bytes = 0;
  #counted: [done: number, failed: number] = [0, 0];

  constructor(run: Run, context: ScorerContext) {
    this.#run = run;
    this.#hasher = new RowHasher(run.hashedAs ?? '');
    const onProgress = (done: number, failed: number): void => {
      this.#counted = [done, failed];
      context.onProgress(this.unchanged + done, failed);
    };
    this.context = { ...context, onProgress };
  }

  /** The predictions that are replaced or removed, once all rows were compared. */
  replaced(): Replaced {
    return this.#known.replaced();
  }

  /** The rows that changed. Throws NotCompared. */
  async *changed(batches: AsyncIterable<DecodedBatch>): AsyncGenerator<DecodedBatch> {
    for await (const batch of this.#onceKnown(batches)) {
      const rows = this.#differing(batch);
      this.unchanged += batch.rows - rows.length;
      this.context.onProgress(...this.#counted);
      if (rows.length === 0) continue;
      const changed = takeRows(batch, rows);
      this.#refuseTooMany(changed);
      yield changed;
    }
  }

  /** The batches of the source, once the hashes of the target are read. Meanwhile the first batches are read ahead. */
  async *#onceKnown(batches: AsyncIterable<DecodedBatch>): AsyncGenerator<DecodedBatch> {
    let isKnown = false;
    const reading = KnownHashes.read(this.#run, this.context).then((known) => {
      this.#known = known;
      isKnown = true;
    });
    reading.catch(() => undefined);
    const ahead: DecodedBatch[] = [];
    let bytes = 0;
    for await (const batch of batches) {
      ahead.push(batch);
      bytes += batch.batch.data.byteLength;
      if (!isKnown && bytes < MOST_AHEAD) continue;
      await reading;
      yield* ahead.splice(0);
    }
    await reading;
    yield* ahead;
  }

  #differing(batch: DecodedBatch): number[] {
    const hashes = this.#hasher.of(batch);
    const rows: number[] = [];
    for (let row = 0; row < batch.rows; row += 1) {
      // A bad row is scored again: its unreadable value counts as NULL in the hash.
      const found = batch.badRows.has(row) ? 'unknown' : this.#known.find(hashes.low[row] ?? 0, hashes.high[row] ?? 0);
      if (found === 'again') throw duplicateKey(this.#run);
      if (found === 'unknown') rows.push(row);
    }
    return rows;
  }

  #refuseTooMany({ rows, batch }: DecodedBatch): void {
    this.#changed += rows;
    this.#bytes += batch.data.byteLength;
    const most = Math.max(FEW_ROWS, MOST_CHANGED * this.#known.rows);
    if (this.#changed > most || this.#bytes > MOST_BYTES) throw new NotCompared();
  }
}

const COLUMNS: readonly SourceColumn[] = [
  { name: 'at', role: 'key' },
  { name: 'hash', role: 'feature', type: 'int8', width: 1 },
];

/** Thrown if comparing rows costs more than scoring all of them, or is impossible. */
export class NotCompared extends Error {}

/** The ctids and hashes of latest predictions that are replaced, as text. */
type Replaced = { readonly rowTids: readonly string[]; readonly hashes: readonly (string | null)[] };

/** The latest predictions of a target: for each its hash, its ctid, and whether a row of the source had this hash. */
class KnownHashes {
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #block: Uint32Array;
  readonly #offset: Uint16Array;
  readonly #found: Uint8Array;
  /** Predictions without a hash: their rows could not be scored. */
  readonly #unhashed = new Set<number>();
  /** Open addressing: the number of a prediction, from 1 on. */
  readonly #slots: Int32Array;
  #rows = 0;
  #next = 0;

  constructor(most: number) {
    this.#low = new Int32Array(most);
    this.#high = new Int32Array(most);
    this.#block = new Uint32Array(most);
    this.#offset = new Uint16Array(most);
    this.#found = new Uint8Array(most);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(8, 1.5 * most))));
  }

  /**
   * Reads the hashes of the target of a run. Throws NotCompared if the target has more rows than its current_rows says.
   */
  static async read(run: Run, context: ScorerContext): Promise<KnownHashes> {
    const known = new KnownHashes(run.target.currentRows);
    const client = await context.writer.client();
    for await (const batch of readBatches(client, hashesQuery(run.target), COLUMNS, { signal: context.signal })) {
      if (known.#rows + batch.rows > run.target.currentRows) throw new NotCompared();
      known.#add(batch);
      context.onWait();
    }
    return known;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Whether a prediction has this hash, and whether an earlier row had it, too. */
  find(low: number, high: number): 'unknown' | 'known' | 'again' {
    // Most rows are in the order of the source, so the prediction after the last one is tried first.
    const row = this.#isAt(this.#next, low, high) ? this.#next : this.#lookUp(low, high);
    if (row < 0) return 'unknown';
    this.#next = row + 1;
    if (this.#found[row] === 1) return 'again';
    this.#found[row] = 1;
    return 'known';
  }

  /** The predictions whose hash no row of the source had. */
  replaced(): Replaced {
    const rows: number[] = [];
    for (let row = 0; row < this.#rows; row += 1) if (this.#found[row] === 0) rows.push(row);
    return {
      rowTids: rows.map((row) => `(${this.#block[row]},${this.#offset[row]})`),
      hashes: rows.map((row) => (this.#unhashed.has(row) ? null : this.#hashText(row))),
    };
  }

  #add({ rows, keys, batch }: DecodedBatch): void {
    const [rowTids, hashes] = [keys[0] as Data<Binary>, batch.data.children[0] as Data<Int64>];
    const words = new Int32Array(hashes.values.buffer, hashes.values.byteOffset, 2 * rows);
    const view = new DataView(rowTids.values.buffer, rowTids.values.byteOffset);
    for (let at = 0; at < rows; at += 1, this.#rows += 1) {
      const start = rowTids.valueOffsets[at] ?? 0;
      this.#block[this.#rows] = view.getUint32(start);
      this.#offset[this.#rows] = view.getUint16(start + 4);
      if (hashes.nullCount > 0 && !hashes.getValid(at)) this.#unhashed.add(this.#rows);
      else this.#enter(words[2 * at] ?? 0, words[2 * at + 1] ?? 0);
    }
  }

  #enter(low: number, high: number): void {
    this.#low[this.#rows] = low;
    this.#high[this.#rows] = high;
    let slot = this.#firstSlot(low, high);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
    this.#slots[slot] = this.#rows + 1;
  }

  #lookUp(low: number, high: number): number {
    for (let at = this.#firstSlot(low, high); ; at = (at + 1) & (this.#slots.length - 1)) {
      const row = (this.#slots[at] ?? 0) - 1;
      if (row < 0 || this.#isAt(row, low, high)) return row;
    }
  }

  #isAt(row: number, low: number, high: number): boolean {
    return row < this.#rows && this.#low[row] === low && this.#high[row] === high && !this.#unhashed.has(row);
  }

  #firstSlot(low: number, high: number): number {
    return (low ^ high) & (this.#slots.length - 1);
  }

  #hashText(row: number): string {
    return ((BigInt(this.#high[row] ?? 0) << 32n) | BigInt((this.#low[row] ?? 0) >>> 0)).toString();
  }
}
