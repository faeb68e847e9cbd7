/** Checks and scores the models of the cases whose numbers are its argument, and writes a line for each: this process may die of one. */
import { writeSync } from 'node:fs';
import { checkModel } from '../../../src/check/check-model.ts';
import { toPgscoreError } from '../../../src/errors.ts';
import { loadModelSession } from '../../../src/inference/load-model-session.ts';
import type { JsonRow } from '../../../src/inference/json-rows.ts';
import type { Predictions } from '../../../src/inference/predictions.ts';
import { CASES, type Case } from './changes.ts';
import { modelOf, widthOf } from './model.ts';

/** Of a model that is refused its code; of one that is ready what it says of each row: alone, and among the others. */
export type Outcome =
  | { readonly refused: string; readonly message: string; readonly remedy: boolean }
  | { readonly alone: readonly Answer[]; readonly together: readonly Answer[] };

/** A number as text, which JSON has no infinity of, or the code of an error. */
export type Answer = { readonly number: string } | { readonly error: string };

const NUMBERS: readonly unknown[] = [1, 0, -1, 2.5, 1e9, -3e38, 3e38, 'Infinity', 'NaN', null, 3];
const TEXTS: readonly unknown[] = ['a b', '', ' ', 'b'.repeat(5000), '\u{1f600}', null, 'a b a'];

async function tryCase(given: Case): Promise<Outcome> {
  const width = widthOf(given);
  const features = Array.from({ length: width }, (_, at) => `f${at}`);
  const bytes = modelOf(given);
  const isText = given.operator.rows.type === 's';
  try {
    const { signature, served } = await checkModel(bytes, { features });
    const session = await loadModelSession(served ?? bytes, signature);
    const rows = (isText ? TEXTS : NUMBERS).map(
      (odd): JsonRow => Object.fromEntries(features.map((name, at) => [name, at === 0 ? odd : isText ? 'a' : 1])),
    );
    const alone = [];
    for (const row of rows) alone.push(...answersOf(await session.predictRows([row])));
    const together = answersOf(await session.predictRows(rows));
    await session.release();
    return { alone, together };
  } catch (error) {
    const { code, message, remedy } = toPgscoreError(error);
    return { refused: code, message, remedy: Boolean(remedy) };
  }
}

function answersOf({ rows, score, errors }: Predictions): Answer[] {
  return Array.from({ length: rows }, (_, row) => {
    const error = errors.get(row);
    return error === undefined ? { number: String(score[row]) } : { error: error.code };
  });
}

for (const number of process.argv[2]?.split(',') ?? []) {
  const given = CASES[Number(number)];
  if (given !== undefined) writeSync(1, `${JSON.stringify(await tryCase(given))}\n`);
}
process.exit(0);
