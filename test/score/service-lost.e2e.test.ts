import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SCORE = `select pgscore.score('sum', '{"a": 3}') as score`;
const ANSWER = [{ score: 3 }];

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
let service = await startAnswering();

/** Its password has what has to be quoted somewhere. */
function startAnswering(): Promise<TestService> {
  return startTestService(database, { PGSCORE_GATEWAY_PASSWORD: `it's "two\\words" host=x` });
}

beforeAll(async () => {
  await deployBytes(await database.client('ada'), 'sum', weightedModel({ a: 'float64' }));
  await alice.query('set pgscore.execution = online');
});

describe('a session that has called score() before', () => {
  test('is told that no service runs once it was stopped, and is answered when one does', async () => {
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
    await service.stop();
    expect(await refusal(alice, SCORE)).toMatchObject({
      code: '08001',
      message: 'no service is running that could score',
      hint: expect.stringContaining('pgscore serve'),
    });
    service = await startAnswering();
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
  });

  test('is told why the service can not be reached, where it was killed', async () => {
    await service.kill();
    const refused = await refusal(alice, SCORE);
    expect(refused).toMatchObject({ code: '08001', message: 'the service does not answer' });
    // Its gateway ends a moment after it: until then the connection is taken and closed, from then on refused.
    expect(refused.detail).toMatch(/port \d+ failed: .*(refused|closed the connection)/s);
    service = await startAnswering();
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
  });
});

test('a row of more than 8 MB is refused and named, and the next is answered', async () => {
  const row = (bytes: number): string => `jsonb_build_object('a', 3, 'note', repeat('x', ${bytes}))`;
  const rows = `array[${row(1)}, ${row(2_000_000)}, ${row(17_000_000)}]`;
  const longest = `select pgscore.score('sum', ${row(7_900_000)})`;
  expect((await alice.query(longest)).rows).toEqual([{ score: expect.any(Number) }]);
  for (const [call, name] of [
    [`select pgscore.score('sum', ${row(8_010_000)})`, 'the row is 8.0 MB long'],
    [`select pgscore.score('sum', ${row(17_000_000)})`, 'the row is 17.0 MB long'],
    [`select score from pgscore.score_rows('sum', ${rows})`, 'row 3 of 3 is 17.0 MB long'],
  ]) {
    expect(await refusal(alice, call!)).toMatchObject({
      code: '54000',
      message: expect.stringContaining(name!),
      hint: expect.stringContaining('only the columns that the model takes'),
    });
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
  }
});

test('without dblink in its schema the extension is named, with what to run', async () => {
  const session = await database.client('alice');
  await session.query('set pgscore.execution = online');
  await superuser.query('create schema elsewhere; alter extension dblink set schema elsewhere');
  expect(await refusal(session, SCORE)).toMatchObject({
    code: '0A000',
    message: expect.stringContaining('the extension dblink is missing in schema pgscore_dblink'),
    hint: expect.stringContaining('alter extension dblink set schema pgscore_dblink;'),
  });
  await superuser.query('alter extension dblink set schema pgscore_dblink');
  expect((await session.query(SCORE)).rows).toEqual(ANSWER);
});
