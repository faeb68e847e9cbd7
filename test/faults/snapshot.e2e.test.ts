import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const SMALL = 1000;

const database = await cloneDatabase();
const service = await startTestService(database, PACE);
const superuser = await database.client();
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);
await createSource(alice, 'small', SMALL);

type Seen = { run: string | null; predictions: number };

/** The runs that a view shows, and how many predictions of each. */
async function seenIn(client: Client, view: string): Promise<Seen[]> {
  const count = `select run_id as run, count(*)::int as predictions from alice.${view} group by run_id`;
  return (await client.query<Seen>(count)).rows;
}

/** Looks into a view again and again until `work` is over; gives what was seen, each once. */
async function seenDuring(view: string, work: Promise<unknown>): Promise<Seen[]> {
  const reader = await database.client();
  const seen = new Map<string, Seen>();
  let over = false;
  void work.finally(() => {
    over = true;
  });
  while (!over) for (const each of await seenIn(reader, view)) seen.set(JSON.stringify(each), each);
  await work;
  return [...seen.values()];
}

async function scored(source: string): Promise<string> {
  const run = await submitRun(alice, 'logistic', source);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', error: null });
  return run;
}

test('rows that are changed, deleted and added while a run scores them are scored as they were', async () => {
  const before = await scored('big');
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  await alice.query('delete from big where id % 2 = 0');
  await alice.query('update big set f0 = -f0, f1 = 1 - f1');
  await alice.query('insert into big (id, f0) select i, 0 from generate_series(-1000, -1) i');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  const { rows } = await superuser.query(
    `select count(*)::int as same from (
       select id, score, label from alice.big_scores_history where run_id = $1 intersect select id, score, label from alice.big_scores_history where run_id = $2) s`,
    [before, run],
  );
  expect(rows).toEqual([{ same: LARGE }]);
});

test.each([
  { source: 'again', rows: LARGE },
  { source: 'small', rows: SMALL },
])(
  'readers of $source see all of a run or all of the one before, whatever their snapshot',
  async ({ source, rows }) => {
    if (source === 'again') await createSource(alice, source, rows);
    const view = `${source}_scores`;
    const before = await scored(source);
    const patient = await database.client();
    await patient.query('begin isolation level repeatable read');
    expect(await seenIn(patient, view)).toEqual([{ run: before, predictions: rows }]);

    let after = '';
    const seen = await seenDuring(
      view,
      scored(source).then((run) => {
        after = run;
      }),
    );
    expect(seen.filter(({ run }) => run !== before && run !== after)).toEqual([]);
    expect(seen.map(({ predictions }) => predictions)).toEqual(seen.map(() => rows));
    expect(await seenIn(patient, view)).toEqual([{ run: before, predictions: rows }]);
    await patient.query('commit');
    expect(await seenIn(patient, view)).toEqual([{ run: after, predictions: rows }]);
    await expectSound(database);
  },
);

test('a source that is dropped in the middle of a run waits for it, or the run says why it failed', async () => {
  await createSource(alice, 'doomed', LARGE);
  const run = await submitRun(alice, 'logistic', 'doomed');
  await midRun(superuser, run);
  const dropping = await database.client('alice');
  const dropped = dropping.query('drop table doomed cascade');
  const { state, error_code } = await endOfRun(alice, run, PATIENCE_MS);
  expect([state, error_code]).toEqual(
    state === 'done' ? ['done', null] : ['failed', expect.stringMatching(/^(source_|handle_missing)/)],
  );
  await dropped;
  await expectSound(database, state === 'done' ? { scored: [{ run, view: 'alice.doomed_scores', rows: LARGE }] } : {});
  expect(await scoreTable(alice, 'logistic', 'small')).toMatchObject({ state: 'done' });
  expect(await service.stop()).toBe(0);
});
