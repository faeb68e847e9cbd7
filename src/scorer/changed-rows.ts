import type { DecodedBatch } from '../copy/batch.ts';
import { RowHasher } from '../copy/row-hash.ts';
import { takeRows } from '../copy/take-rows.ts';
import { PgscoreError } from '../errors.ts';
import type { Run } from '../runs/run.ts';
import { KnownHashes, NotCompared, type Replaced } from './known-hashes.ts';
import type { Tools } from './tools.ts';

/** Where more rows than these have changed, and more than this share, to score all costs less than to replace them. */
const FEW_ROWS = 10_000;
const MOST_CHANGED = 0.25;
/** Bytes of changed rows that wait in memory until all were read, and of rows that are read while hashes are. */
const MOST_BYTES = 256 * 1024 * 1024;
const MOST_AHEAD = 64 * 1024 * 1024;

/** Tells the rows of a source that changed from those that the target has as they are. */
export class Comparison {
  unchanged = 0;
  /** The tools of the job: rows that are let be are progress, too. */
  readonly tools: Tools;
  readonly #run: Run;
  readonly #hasher: RowHasher;
  #known = new KnownHashes(0);
  #changed = 0;
  #bytes = 0;
  #counted: [done: number, failed: number] = [0, 0];

  constructor(run: Run, tools: Tools) {
    this.#run = run;
    this.#hasher = new RowHasher(run.hashedAs ?? '');
    const onProgress = (done: number, failed: number): void => {
      this.#counted = [done, failed];
      tools.onProgress(this.unchanged + done, failed);
    };
    this.tools = { ...tools, onProgress };
  }

  /** The predictions that are replaced or taken out, once all rows went by. */
  replaced(): Replaced {
    return this.#known.replaced();
  }

  /** The rows that differ. Raises NotCompared. */
  async *changed(batches: AsyncIterable<DecodedBatch>): AsyncGenerator<DecodedBatch> {
    for await (const batch of this.#onceKnown(batches)) {
      const rows = this.#differing(batch);
      this.unchanged += batch.rows - rows.length;
      this.tools.onProgress(...this.#counted);
      if (rows.length === 0) continue;
      const changed = takeRows(batch, rows);
      this.#refuseTooMany(changed);
      yield changed;
    }
  }

  /** The batches once the target is read. While it is, the first of them are read, too. */
  async *#onceKnown(batches: AsyncIterable<DecodedBatch>): AsyncGenerator<DecodedBatch> {
    let isKnown = false;
    const reading = KnownHashes.read(this.#run, this.tools).then((known) => {
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
      // A value that could not be read counts as NULL in the hash.
      const found = batch.badRows.has(row) ? 'unknown' : this.#known.find(hashes.low[row] ?? 0, hashes.high[row] ?? 0);
      if (found === 'again') throw this.#sameKey();
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

  #sameKey(): PgscoreError {
    const { sourceSchema, sourceName } = this.#run;
    return new PgscoreError('duplicate_key', `two rows of "${sourceSchema}.${sourceName}" have the same key`, {
      remedy: 'Name columns that identify a row: key => ...',
    });
  }
}
