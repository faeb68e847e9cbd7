import type { Binary, Data } from 'apache-arrow';
import type { DecodedBatch } from '../copy/batch.ts';
import { Copied } from '../copy/read.ts';
import type { SourceColumn } from '../copy/source-column.ts';
import { takeRows } from '../copy/take-rows.ts';
import { runPipeline } from '../postgres/pipeline.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import type { Job, Outcome } from '../runs/job.ts';
import { RUN_LOST } from '../runs/publish.ts';
import { problemOfWriting } from '../runs/publication-errors.ts';
import type { Run } from '../runs/run.ts';
import { RowSplit, rowsPerBatch, runsOfArms } from './arms.ts';
import { WorkLost } from './load.ts';
import { beginStatement, publicationOf, replacementStatements } from './publish-in-place.ts';
import { readSource, snapshotTime } from './read-source.ts';
import { loadArms, scoreRows } from './score-job.ts';
import type { ScorerContext } from './context.ts';
import { knownQuery, supersedeKeys } from './write-predictions.ts';

/**
 * Scores the rows with some keys, for a watch. Unchanged rows keep their predictions; those of changed rows are
 * replaced, and those of rows that are gone removed, all in one transaction.
 */
export async function scoreKeys(job: Job, keyLists: readonly string[], context: ScorerContext): Promise<Outcome> {
  const arms = await loadArms(job, context);
  const reading = await context.reader.open(job);
  const known = await KnownRows.read(job.run, keyLists, context);
  const changed = known.changed(readSource(job, reading, rowsPerBatch(arms, context.batchRows), context));
  const scored = await scoreRows(job, arms, changed, context, () => Promise.resolve([]));
  const publication = { ...(await publicationOf(job, '', scored)), snapshotAt: snapshotTime(reading) };
  const { run } = job;
  const replaced = known.replaced();
  const steps = [
    beginStatement(publication, undefined),
    ...(replaced.rows > 0 ? [supersedeKeys(run.target, run.target.currentGeneration, replaced.keyLists)] : []),
    ...replacementStatements(publication, { removed: replaced.rows, unchanged: known.unchanged }),
  ];
  await runPipeline(await context.writer.client(), steps).catch((error: unknown) => {
    throw sqlState(error) === RUN_LOST ? new WorkLost() : problemOfWriting(error, run);
  });
  return { kind: 'published', ...publication.counts };
}

/** Most bytes of known rows: ten thousand keys of 2,700 bytes, each twice. */
const MOST_KNOWN = 64 * 1024 * 1024;

type KnownRow = { readonly row: string; readonly texts: readonly string[]; isUnchanged: boolean };

/** The predictions that the target has for the keys of a run, by the bytes of the key. */
class KnownRows {
  unchanged = 0;
  readonly #rows: ReadonlyMap<string, KnownRow>;
  /** The version of each arm. */
  readonly #versions: readonly string[];
  readonly #split: RowSplit | undefined;

  private constructor(rows: ReadonlyMap<string, KnownRow>, run: Run) {
    this.#rows = rows;
    this.#versions = runsOfArms(run).map(({ versionId }) => versionBytes(versionId));
    this.#split = RowSplit.of(run);
  }

  static async read(run: Run, keyLists: readonly string[], context: ScorerContext): Promise<KnownRows> {
    const { target } = run;
    const copied = new Copied(knownQuery(target, keyLists), MOST_KNOWN);
    await runPipeline(await context.writer.client(), [copied]);
    if (copied.overflowed) throw new Error('the known rows of a watch are too large');
    const width = target.keys.length;
    const columns = Array.from({ length: 2 * width + 2 }, (_, at): SourceColumn => ({ name: `c${at}`, role: 'key' }));
    const rows = new Map<string, KnownRow>();
    for (const batch of copied.batches(columns)) {
      for (let row = 0; row < batch.rows; row += 1) {
        const key = bytesOf(batch.keys.slice(0, width), row);
        const texts = batch.keys.slice(width, 2 * width).map((column) => textOf(column, row));
        rows.set(key, { row: bytesOf(batch.keys.slice(2 * width), row), texts, isUnchanged: false });
      }
    }
    return new KnownRows(rows, run);
  }

  /** The rows that changed. */
  async *changed(batches: AsyncIterable<DecodedBatch>): AsyncGenerator<DecodedBatch> {
    for await (const batch of batches) {
      const arms = this.#split?.armsOf(batch);
      const versionOf = (row: number): string => this.#versions[arms?.[row] ?? 0] ?? this.#versions[0] ?? '';
      const rows = Array.from({ length: batch.rows }, (_, row) => row).filter(
        (row) => !this.#isKnown(batch, row, versionOf(row)),
      );
      this.unchanged += batch.rows - rows.length;
      if (rows.length > 0) yield rows.length === batch.rows ? batch : takeRows(batch, rows);
    }
  }

  /** The keys whose predictions are replaced or removed, once all rows were compared. */
  replaced(): { readonly rows: number; readonly keyLists: string[][] } {
    const gone = [...this.#rows.values()].filter(({ isUnchanged }) => !isUnchanged);
    const width = gone[0]?.texts.length ?? 0;
    return {
      rows: gone.length,
      keyLists: Array.from({ length: width }, (_, at) => gone.map(({ texts }) => texts[at] ?? '')),
    };
  }

  #isKnown({ keys, hash }: DecodedBatch, row: number, version: string): boolean {
    if (this.#rows.size === 0 || hash === null) return false;
    const known = this.#rows.get(bytesOf(keys, row));
    if (known?.row !== bytesOf([hash], row) + version) return false;
    known.isUnchanged = true;
    return true;
  }
}

/** The bytes of some values as one text, with their lengths, so that two keys never give the same text. */
function bytesOf(columns: readonly Data<Binary>[], row: number): string {
  return columns.map((column) => withLength(valueOf(column, row))).join('');
}

function versionBytes(versionId: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(versionId);
  return withLength(bytes);
}

function withLength(value: Uint8Array): string {
  return `${value.length}:${Buffer.from(value).toString('latin1')}`;
}

function textOf(column: Data<Binary> | undefined, row: number): string {
  return column === undefined ? '' : Buffer.from(valueOf(column, row)).toString();
}

function valueOf(column: Data<Binary>, row: number): Uint8Array {
  return column.values.subarray(column.valueOffsets[row] ?? 0, column.valueOffsets[row + 1] ?? 0);
}
