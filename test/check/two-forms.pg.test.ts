import { expect, test } from '@jest/globals';
import type { DatabaseConnection } from '../../src/postgres/connection.ts';
import { makeNative } from '../../src/check/make-native.ts';
import { cloneDatabase } from '../support/database.ts';
import { submitDeploy } from '../support/deploy.ts';
import { regressionSignature, regressor, nestedTrees } from '../support/tree-models.ts';

const database = await cloneDatabase();
const client = await database.client();
const connection = { use: (work: (own: typeof client) => unknown) => work(client) } as unknown as DatabaseConnection;

const ROWS = [1, 2, 3].map((a) => ({ a, b: 0, c: 0 }));

/** Creates a score of 2 a, with another form for few rows. */
async function madeWith(few: string): Promise<unknown> {
  const name = `forms_${few.length}`;
  await submitDeploy(client, name, regressor(nestedTrees([{ column: 0, threshold: 1, passed: 2, failed: 4 }])));
  const { rows } = await client.query<{ id: number }>('select max(version_id) as id from pgscore_data.version');
  const body = (value: string): string => `begin return ${value}; end`;
  const score = { language: 'plpgsql' as const, body: body('2 * $1'), few: body(few) };
  const reference = { rows: [0, 1, 2], score: [2, 4, 6], label: null, probabilities: null, silent: [] };
  const toProve = { compiled: { bodies: { score } }, rows: ROWS, reference };
  return await makeNative(connection, rows[0]?.id ?? 0, regressionSignature, toProve, false);
}

test('a version whose two forms say the same is native', async () => {
  expect(await madeWith('$1 + $1')).toEqual({ parts: ['score'], evidence: { rows: 3 } });
});

test('one whose forms differ by a last bit is not, and says where', async () => {
  expect(await madeWith('case when $1 = 3 then 6.000000000000001::double precision else 2 * $1 end')).toEqual({
    reason: 'the compiled function differs: row 3: the score is 6, its form for few rows says 6.000000000000001',
  });
});
