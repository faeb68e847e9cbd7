import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { goldenModels, goldenRows } from '../support/golden-models.ts';
import { startTestService } from '../support/service.ts';
import { ensureMayScore, gatewayOf, versionIdOf } from './online.ts';
import { fieldsOf, rowsOf, WireClient } from './wire-client.ts';

const TOLERANCE = 1e-5;
const ROWS_A_CALL = 100;

const database = await cloneDatabase();
const superuser = await database.client();
await ensureMayScore(superuser);
const service = await startTestService(database, { PGSCORE_SCORERS: '1' });
const { port, password } = await gatewayOf(service);
const ada = await database.client('ada');

/** The weights of the other lie in a second file, which the command line inlines. */
const models = goldenModels.filter(({ name }) => name !== 'pytorch_mlp');

test.each(models)('$name answers score() as its training framework predicts, row by row', async (model) => {
  const version = await deployModel(ada, model.name, `test/models/${model.file}`, model.deploy);
  const versionId = await versionIdOf(superuser, version);
  const client = await WireClient.login(port, password);
  const expected = goldenRows(model);
  for (let from = 0; from < expected.length; from += ROWS_A_CALL) {
    const some = expected.slice(from, from + ROWS_A_CALL);
    const rows = some.map((row) =>
      Object.fromEntries(model.features.map(({ name }) => [name, row[name] === '' ? null : row[name]])),
    );
    const replies = await client.ask(`score ${JSON.stringify({ version: versionId, role: 'alice', rows })}`);
    const error = replies.find(({ type }) => type === 'E');
    if (error !== undefined) throw new Error(JSON.stringify(fieldsOf(error)));
    const answers = rowsOf(replies);
    const wrong = some.flatMap((row, index) => (agrees(row, answers[index]!) ? [] : [[row, answers[index]]]));
    expect(wrong).toEqual([]);
  }
  client.destroy();
});

function agrees(row: Readonly<Record<string, unknown>>, [score, label]: (string | null)[]): boolean {
  const reference = Number(row['expected_score'] ?? row['expected_value']);
  const near = Math.abs(Number(score) - reference) <= TOLERANCE * Math.max(1, Math.abs(reference));
  const sameLabel =
    row['expected_label'] === undefined || row['expected_label'] === '' || row['expected_label'] === label;
  return near && sameLabel;
}
