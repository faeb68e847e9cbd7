import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { callsCounted } from './calls.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** Ahead of every run and call here. */
const SCHEDULED = `date_trunc('day', now(), 'UTC') + interval '3 days 12 hours 0.123456 seconds'`;

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
  const tables = `create table flights (id bigint primary key, x float8, scheduled_at timestamptz);
    insert into flights select n, n * 10, ${SCHEDULED} from generate_series(1, 3) n;
    create table landed (id bigint primary key, y float8, known timestamptz)`;
  await alice.query(tables);
});

async function flown(model: string): Promise<void> {
  await deployBytes(ada, model, weightedModel({ x: 'float64' }));
  await alice.query(`select pgscore.set_labels($1, 'landed', label => 'y', known_at => 'known')`, [model]);
  await ada.query(`select pgscore.log_calls($1, event_time => 'scheduled_at')`, [model]);
}

type Day = { ahead: number; predicted: number; labeled: number; awaiting: number; superseded: number; mae: number };

/** What is counted of each day: by how many days it is ahead, predictions, labelled ones, those that wait, those that another one replaced, error. */
async function expectDays(model: string, expected: readonly (readonly (number | null)[])[]): Promise<void> {
  let seen: (readonly (number | null)[])[] = [];
  await waitFor(
    async () => {
      const { rows } = await superuser.query<Day>(
        `select (window_date - (now() at time zone 'UTC')::date)::int as ahead, n_predictions::int as predicted, n_labeled::int as labeled,
                n_awaiting::int as awaiting, n_superseded::int as superseded, mae
           from pgscore_bi.regression_performance_daily where model_name = $1 order by 1`,
        [model],
      );
      seen = rows.map((row) => [row.ahead, row.predicted, row.labeled, row.awaiting, row.superseded, row.mae]);
      return JSON.stringify(seen) === JSON.stringify(expected);
    },
    { message: 'the days that are counted' },
  ).catch(() => expect(seen).toEqual(expected));
}

test('a run and calls for the same time share a place, and a label judges the last that was made before it', async () => {
  await flown('due');
  expect(await scoreTable(alice, 'due', 'flights', { event_time: 'scheduled_at' })).toMatchObject({ state: 'done' });
  await expectDays('due', [[3, 3, 0, 3, 0, null]]);
  await alice.query('update flights set x = 14 where id = 1');
  await alice.query(`select score('due', f) from flights f where id = 1`);
  await expectDays('due', [[3, 4, 0, 3, 1, null]]);
  await alice.query('update flights set x = x + 2');
  await alice.query(
    `select count(s.score) from pgscore.score_rows('due', array(select f from flights f where id < 3)) s`,
  );
  await expectDays('due', [[3, 6, 0, 3, 3, null]]);
  await alice.query(`insert into landed select id, 17, scheduled_at + interval '1 hour' from flights where id = 1`);
  await expectDays('due', [[3, 6, 1, 2, 3, 1]]);
  const { rows } = await superuser.query(
    `select distinct p.event_time = f.scheduled_at as same from pgscore.online_predictions p cross join alice.flights f where p.model = 'due'`,
  );
  expect(rows).toEqual([{ same: true }]);
  await ada.query(`select pgscore.rebuild('due')`);
  await superuser.query('select pgscore.refresh()');
  await expectDays('due', [[3, 6, 1, 2, 3, 1]]);
});

test('calls without a key count for the day that their rows say, and those that say none for the day on which they were asked', async () => {
  await flown('loose');
  await alice.query(
    `select score('loose', jsonb_build_object('x', 1, 'scheduled_at', (now() at time zone 'UTC')::date + 5))`,
  );
  await alice.query(
    `select score('loose', jsonb_build_object('x', 1, 'scheduled_at', null)), score('loose', '{"x": 1, "scheduled_at": "soon"}')`,
  );
  await expectDays('loose', [
    [0, 2, 0, 0, 2, null],
    [5, 1, 0, 0, 1, null],
  ]);
  await ada.query(`select pgscore.rebuild('loose')`);
  await expectDays('loose', [
    [0, 2, 0, 0, 2, null],
    [5, 1, 0, 0, 1, null],
  ]);
});

test('an empty name goes by the moment of the call again, and what else was said stays', async () => {
  await flown('reset');
  const kept = async (): Promise<unknown> =>
    (await alice.query(`select calls_kept from pgscore.models where model = 'reset'`)).rows[0]?.calls_kept;
  await ada.query(`select pgscore.log_calls('reset', inputs => false)`);
  expect(await kept()).toBe('all, without inputs, for scheduled_at');
  await ada.query(`select pgscore.log_calls('reset', event_time => '')`);
  expect(await kept()).toBe('all, without inputs');
  await alice.query(`select score('reset', f) from flights f where id = 3`);
  await callsCounted(superuser, 'reset', 1);
  await expectDays('reset', [[0, 1, 0, 1, 0, null]]);
  await expect(ada.query(`select pgscore.log_calls('reset', event_time => $1)`, ['t'.repeat(64)])).rejects.toThrow(
    'is no column',
  );
});
