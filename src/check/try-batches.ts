import { PgscoreError } from '../errors.ts';
import { usedOperators } from '../onnx/local-functions.ts';
import { withAnyBatch, type Normalised } from '../onnx/normalise.ts';
import type { Predictions } from '../inference/predictions.ts';
import { predictRows, tryModel, type Preparation, type Trial } from './trial.ts';

/** Kernels for one row and for many add up in another order: this much is rounding, not another row's influence. */
const ROUNDING = 1e-3;

/** Operators that round by the range of the numbers of all rows of a run: a model with one is run row by row. */
const BY_RANGE = [':DynamicQuantizeLinear', 'com.microsoft:DynamicQuantizeMatMul'];

/**
 * Tries a model with as many rows at a time as it takes: those that quantise dynamically get one.
 * @throws PgscoreError model_rows_mixed, and what tryModel() throws
 */
export async function tryBatches(model: Normalised, preparation: Preparation): Promise<Trial> {
  const used = usedOperators(model.outline.bytes);
  const byRange = BY_RANGE.find((operator) => used.has(operator));
  if (byRange !== undefined) return tryRowByRow(model, preparation, byRange.slice(byRange.indexOf(':') + 1));
  return model.batch === null ? tryOpenBatch(model, preparation) : tryFixedBatch(model, preparation);
}

async function tryRowByRow(model: Normalised, preparation: Preparation, operator: string): Promise<Trial> {
  const open = model.batch === null || model.batch === 1 ? model : withAnyBatch(model);
  const trial = await tryModel({ ...open, batch: 1 }, preparation);
  trial.warnings.push(
    `the model is quantised dynamically (${operator} rounds by the range of all rows of a run): it is run row by row, ` +
      'which is slow; quantise it statically to run many at once',
  );
  return trial;
}

/**
 * Tries a model that is said to take any number of rows. Each sample must score alone as it does among the others. Where
 * the graph holds a number of rows after all, they go one by one.
 * @throws PgscoreError model_rows_mixed
 */
async function tryOpenBatch(model: Normalised, preparation: Preparation): Promise<Trial> {
  const trial = await tryModel(model, preparation);
  if (!(await runsTogether(trial, preparation)))
    return withFixedBatch(await tryModel({ ...model, batch: 1 }, preparation), 1);
  for (const [row, sample] of preparation.samples.entries()) {
    const alone = await predictRows(trial.session, [sample]);
    if (differs(alone, 0, trial.predictions, row)) throw rowsMixed();
  }
  return trial;
}

/**
 * Tries a model that is fixed to a number of rows, as PyTorch exports it by default, with that number taken away. It is
 * served so where every sample scores as before; else in batches of its own size.
 */
async function tryFixedBatch(model: Normalised, preparation: Preparation): Promise<Trial> {
  const fixed = await tryModel(model, preparation);
  const open = await tryModel(withAnyBatch(model), preparation).catch(undefinedIfRefused);
  if (open !== undefined && (await runsTogether(open, preparation)) && scoresAlike(open, fixed)) {
    await fixed.session.release();
    return open;
  }
  await open?.session.release();
  return withFixedBatch(fixed, model.batch ?? 1);
}

/** Whether the rows that score alone also go through in one run. */
async function runsTogether({ session, predictions }: Trial, { samples }: Preparation): Promise<boolean> {
  const good = samples.filter((_, row) => !predictions.errors.has(row));
  const before = session.refusals;
  await predictRows(session, [...good, ...good]);
  return session.refusals === before;
}

function scoresAlike({ predictions: one }: Trial, { predictions: other }: Trial): boolean {
  return Array.from({ length: one.rows }).every((_, row) => !differs(one, row, other, row));
}

function withFixedBatch(trial: Trial, rows: number): Trial {
  trial.warnings.push(
    `the model is fixed to ${rows} rows at a time, which is slow: export it with a dynamic first dimension`,
  );
  return trial;
}

/** A graph that can't take more rows fails in ONNX Runtime, or its outputs stop making sense. */
function undefinedIfRefused(error: unknown): undefined {
  if (!(error instanceof PgscoreError)) throw error;
}

function differs(one: Predictions, row: number, other: Predictions, otherRow: number): boolean {
  const failed = one.errors.has(row);
  if (failed !== other.errors.has(otherRow)) return true;
  const others = saidOf(other, otherRow);
  return (
    !failed && saidOf(one, row).some((a, at) => Math.abs(a - (others[at] ?? 0)) > ROUNDING * Math.max(1, Math.abs(a)))
  );
}

/** The score of a row, or its several values. */
function saidOf({ score, values, rows }: Predictions, row: number): Float64Array {
  const width = (values ?? score).length / rows;
  return (values ?? score).subarray(row * width, (row + 1) * width);
}

function rowsMixed(): PgscoreError {
  return new PgscoreError('model_rows_mixed', 'a row scores differently alone than among other rows', {
    remedy: 'Export in evaluation mode (`model.eval()` in PyTorch), and take softmax over the last dimension.',
  });
}
