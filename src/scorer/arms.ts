import type { Binary, Data } from 'apache-arrow';
import type { DecodedBatch } from '../copy/batch.ts';
import { takeRows } from '../copy/take-rows.ts';
import type { ModelSession } from '../inference/session.ts';
import { bucket, BUCKETS } from '../lib/bucket.ts';
import { type Run, type Split, hasArms } from '../runs/run.ts';
import type { PipelinedStatement } from '../postgres/pipeline.ts';
import { statement } from '../postgres/statement.ts';

/** A version that scores rows of a run, with the run that these rows belong to. The first is the run itself. */
export type Arm = { readonly run: Run; readonly session: ModelSession };

/** As many rows as each model scores in seconds, `most` at most. */
export function rowsPerBatch(arms: readonly Arm[], most: number): number {
  return Math.min(most, ...arms.map(({ session }) => session.mostRows));
}

/** The runs of the arms of a run: its own first. */
export function runsOfArms(run: Run): Run[] {
  const { arms = [], runs = [] } = run.split ?? {};
  // Bins belong to a version: those of an arm are looked up by the version of the arm.
  const others = arms.map(({ version_id: versionId }, at) => ({
    ...run,
    runId: String(runs[at]),
    versionId,
    binSet: null,
  }));
  return [run, ...others];
}

/** The version of the run itself scores rows of no arm, and rows without a key. */
const OWN = 0;
const WITHOUT_KEY = -1;
/** A shadow leaves a row out that is not in its sample. */
const LEFT_OUT = -2;

/** Tells which arm scores a row. */
export class RowSplit {
  rowsWithoutKey = 0;
  readonly #salt: string;
  readonly #armOfBucket: Int16Array;
  readonly #withoutKey: number;

  private constructor({ salt, arms, sample }: Split) {
    this.#salt = salt;
    this.#armOfBucket = new Int16Array(BUCKETS).fill(sample === undefined ? OWN : LEFT_OUT);
    this.#withoutKey = sample === undefined ? WITHOUT_KEY : LEFT_OUT;
    for (const [from, to] of sample ?? []) this.#armOfBucket.fill(OWN, from, to);
    arms?.forEach(({ buckets }, at) => {
      for (const [from, to] of buckets) this.#armOfBucket.fill(at + 1, from, to);
    });
  }

  /** Undefined for a run whose version scores all rows. */
  static of({ split }: Pick<Run, 'split'>): RowSplit | undefined {
    return split === null ? undefined : new RowSplit(split);
  }

  /** The arm of each row of a batch, by its index among those of the run. */
  armsOf({ rows, splits }: DecodedBatch): Int16Array {
    const arms = new Int16Array(rows);
    for (let row = 0; row < rows; row += 1) {
      const key = splits.map((column) => textAt(column, row));
      arms[row] = key.every((part) => part !== null)
        ? (this.#armOfBucket[bucket(this.#salt, ...key)] ?? OWN)
        : this.#withoutKey;
    }
    return arms;
  }

  /** The rows of a batch by arm, without those that none scores. */
  divide(batch: DecodedBatch): { readonly arm: number; readonly rows: DecodedBatch }[] {
    const arms = this.armsOf(batch);
    const rowsOfArm = new Map<number, number[]>();
    for (const [row, found] of arms.entries()) {
      if (found === LEFT_OUT) continue;
      if (found === WITHOUT_KEY) this.rowsWithoutKey += 1;
      const arm = found === WITHOUT_KEY ? OWN : found;
      const known = rowsOfArm.get(arm);
      if (known === undefined) rowsOfArm.set(arm, [row]);
      else known.push(row);
    }
    return [...rowsOfArm].map(([arm, rows]) => ({
      arm,
      rows: rows.length === batch.rows ? batch : takeRows(batch, rows),
    }));
  }
}

function textAt(column: Data<Binary>, row: number): string | null {
  if (column.nullCount > 0 && !column.getValid(row)) return null;
  return Buffer.from(column.values.subarray(column.valueOffsets[row], column.valueOffsets[row + 1])).toString();
}

const writeTally = statement<
  [runId: string, attempt: number, shard: number, armRunId: string | null, rowsDone: number, rowsFailed: number]
>(
  'write_arm_tally',
  `insert into pgscore_data.arm_tally (run_id, attempt, shard, arm_run_id, rows_done, rows_failed) values ($1, $2, $3, $4, $5, $6)`,
);

type ArmCount = { readonly run: Run; readonly rowsDone: number; readonly rowsFailed: number };

/** Statements that store how many rows of a job each arm scored, for the transaction that writes its predictions. */
export function armTallies(
  shard: number,
  [own, ...arms]: readonly ArmCount[],
  withoutKey: number,
): PipelinedStatement[] {
  if (own === undefined || !hasArms(own.run)) return [];
  const { runId, attempt } = own.run;
  const scoring = arms.filter(({ rowsDone }) => rowsDone > 0);
  return [
    ...scoring.map(({ run, rowsDone, rowsFailed }) =>
      writeTally.pipelined(runId, attempt, shard, run.runId, rowsDone, rowsFailed),
    ),
    ...(withoutKey > 0 ? [writeTally.pipelined(runId, attempt, shard, null, withoutKey, 0)] : []),
  ];
}
