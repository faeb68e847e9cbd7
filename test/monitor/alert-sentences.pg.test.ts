import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, evaluate, live, putDay } from './alert-days.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

async function sentences(model: string, alert: string): Promise<string[]> {
  const { rows } = await superuser.query<{ message: string }>(
    'select message from pgscore_bi.alert_history where model_name = $1 and alert = $2 order by event_id',
    [model, alert],
  );
  return rows.map(({ message }) => message);
}

async function sentence(model: string, alert: string): Promise<string | undefined> {
  const { rows } = await alice.query<{ message: string }>(
    'select message from pgscore.alerts where model = $1 and alert = $2',
    [model, alert],
  );
  return rows[0]?.message;
}

test('each alert is a sentence, in the views and for the webhook', async () => {
  const model = await addMonitoredModel(superuser, 'churn', 'binary');
  await alice.query(`select pgscore.set_alert('churn', 'low', 'accuracy', threshold => 0.8)`);
  await live(superuser, model, [{ accuracy: 0.5 }]);
  expect(await sentence('churn', 'low')).toBe('low of churn@1 is firing: accuracy was 0.5 on 2026-03-01, below 0.8.');
  expect(await sentence('churn', 'auc_drop')).toBe(
    'auc_drop of churn@1 has insufficient data: roc_auc has no value on 2026-03-01.',
  );
  await evaluate(superuser, at(2, 12));
  await putDay(superuser, model, 1, { accuracy: 0.91234 });
  await evaluate(superuser, at(2, 13));
  const told = await superuser.query<{ message: string }>('select message from pgscore_data._claim_alerts()');
  const expected = [
    'low of churn@1 is firing: accuracy was 0.5 on 2026-03-01, below 0.8.',
    'low of churn@1 is still raised: accuracy was 0.5 on 2026-03-01, below 0.8.',
    'low of churn@1 is resolved (recovered): accuracy was 0.9124 on 2026-03-02.',
  ];
  expect(await sentences('churn', 'low')).toEqual(expected);
  expect(told.rows).toEqual([]);
  await superuser.query(
    `update pgscore_data.alert_event set due_at = clock_timestamp() - interval '1 minute', next_attempt_at = clock_timestamp() - interval '1 minute'`,
  );
  const claimed = await superuser.query<{ message: string }>('select message from pgscore_data._claim_alerts()');
  expect(claimed.rows.map(({ message }) => message)).toEqual(expected);
});

test('that of a lasting drop says since when, and what is usual', async () => {
  const model = await addMonitoredModel(superuser, 'slow', 'binary');
  const days = Array.from({ length: 30 }, (_, day) => ({ accuracy: day < 20 ? 0.88 : 0.83, n: 200 }));
  await live(superuser, model, days);
  const [first, next] = await sentences('slow', 'accuracy_drop');
  const because = 'since 2026-03-21 it has been 0.83, where 0.88 is usual.';
  expect(first).toBe(`accuracy_drop of slow@1 is firing: accuracy was 0.83 on 2026-03-25; ${because}`);
  expect(next).toBe(`accuracy_drop of slow@1 is still raised: accuracy was 0.83 on 2026-03-26; ${because}`);
});

test('that of silence, of a dropped rule and of large numbers reads as one, too', async () => {
  const model = await addMonitoredModel(superuser, 'mixed', 'binary');
  await alice.query(
    `select pgscore.set_alert('mixed', 'few', 'n_predictions', threshold => 20000, direction => 'below')`,
  );
  await putDay(superuser, model, 0, { accuracy: 0.9, n: 12_346 });
  await evaluate(superuser, at(2, 6));
  await alice.query(`select pgscore.drop_alert('mixed', 'few')`);
  await evaluate(superuser, at(2, 7));
  expect(await sentences('mixed', 'few')).toEqual([
    'few of mixed@1 is firing: n_predictions was 12346 on 2026-03-01, below 20000.',
    'few of mixed@1 is resolved (dropped).',
  ]);
  for (let day = 0; day < 10; day += 1)
    await superuser.query(`select pgscore_data._note_feed('scoring', $1, $2)`, [model.modelId, at(day, 12)]);
  await evaluate(superuser, at(9, 12 + 49));
  expect(await sentences('mixed', 'scoring_stopped')).toEqual([
    'scoring_stopped of mixed has no data: hours_since_scoring was 49 on 2026-03-12, above 48.',
  ]);
});

test('where no service has a webhook, delivery is none; else it waits until it is told', async () => {
  const model = await addMonitoredModel(superuser, 'told', 'binary');
  await alice.query(`select pgscore.set_alert('told', 'low', 'accuracy', threshold => 0.8)`);
  const delivery = async (): Promise<unknown[]> => {
    const read = `select delivery from pgscore_bi.alert_history where model_name = 'told' order by event_id`;
    return (await superuser.query<{ delivery: string }>(read)).rows.map((row) => row.delivery);
  };
  const worker = `insert into pgscore_data.worker (worker_id, host, pid, version, scorers, state, has_webhook) values (gen_random_uuid(), 'here', 1, '', 1, 'running', $1)`;
  await superuser.query(worker, [false]);
  const yesterday = Math.floor((Date.now() - Date.parse(at(0))) / 86_400_000) - 1;
  await putDay(superuser, model, yesterday, { accuracy: 0.5 });
  await evaluate(superuser, new Date().toISOString());
  expect(await delivery()).toEqual(['none']);
  await superuser.query(worker, [true]);
  expect(await delivery()).toEqual(['waiting']);
  await putDay(superuser, model, yesterday, { accuracy: 0.9 });
  await evaluate(superuser, new Date().toISOString());
  await superuser.query(`update pgscore_data.alert_event set due_at = due_at - interval '2 days'`);
  expect(await delivery()).toEqual(['none', 'given_up']);
});
