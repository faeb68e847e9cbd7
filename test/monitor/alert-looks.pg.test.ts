import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, evaluate, live, putDay, told } from './alert-days.ts';
import { addMonitoredModel, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** A binary classifier with one rule more: accuracy below 0.8. */
async function watched(name: string): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  await alice.query(`select pgscore.set_alert($1, 'low', 'accuracy', threshold => 0.8)`, [name]);
  return model;
}

test('ten services that look at once raise an alert once', async () => {
  const model = await watched('crowded');
  await putDay(superuser, model, 0, { accuracy: 0.5 });
  const services = await Promise.all(Array.from({ length: 10 }, () => database.client()));
  const listener = await database.client();
  const heard: (string | undefined)[] = [];
  listener.on('notification', ({ payload }) => heard.push(payload));
  await listener.query('listen pgscore_alert');
  const look = 'select event from pgscore_data._evaluate_alerts($1, at_once => true)';
  const looks = await Promise.all(services.map((service) => service.query<{ event: string | null }>(look, [at(1, 6)])));
  const events = looks.flatMap(({ rows }) => rows.flatMap(({ event }) => event ?? []));
  expect(events).toHaveLength(1);
  expect(await told(superuser, 'crowded', 'low')).toHaveLength(1);
  await listener.query('select');
  expect(heard.map((payload) => JSON.parse(payload ?? '') as unknown)).toEqual([{ event_id: Number(events[0]) }]);
});

test('labels that trickle in are looked at for a tenth of the time, unless somebody asks for it at once', async () => {
  const model = await watched('trickling');
  await live(superuser, model, [{ accuracy: 0.9 }]);
  await superuser.query(`update pgscore_data.alert_clock set rest_until = clock_timestamp() + interval '1 minute'`);
  await putDay(superuser, model, 0, { accuracy: 0.5 });
  const patient = await superuser.query('select event from pgscore_data._evaluate_alerts($1)', [at(1, 6)]);
  expect(patient.rows).toEqual([{ event: null }]);
  expect(await evaluate(superuser, at(1, 6))).not.toBeNull();
  const { rows } = await superuser.query(
    `select rest_until between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '59 seconds' as rests from pgscore_data.alert_clock`,
  );
  expect(rows).toEqual([{ rests: true }]);
});
