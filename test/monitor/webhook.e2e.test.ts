import { afterEach, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { putDay, yesterday } from './alert-days.ts';
import { addMonitoredModel, type MonitoredModel } from './monitored-model.ts';
import { isSigned, ok, WebhookReceiver, type Received } from './webhook-receiver.ts';

const SECRET = 'a-secret-that-nobody-may-read';
const TOKEN = 'a-token-in-the-path';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
const receiver = await WebhookReceiver.start();
const SETTINGS = {
  PGSCORE_POLL: '0.4',
  PGSCORE_ALERT_WEBHOOK: `http://127.0.0.1:${receiver.port}/${TOKEN}`,
  PGSCORE_ALERT_SECRET: SECRET,
};
let service: TestService = await startTestService(database, SETTINGS);

afterEach(() => {
  receiver.answer = ok;
});

/** A model whose accuracy of yesterday is too low. */
async function failing(name: string, alert = 'low'): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  await alice.query(`select pgscore.set_alert($1, $2, 'accuracy', threshold => 0.8, severity => 'critical')`, [
    name,
    alert,
  ]);
  await putDay(superuser, model, yesterday(), { accuracy: 0.5 });
  return model;
}

function messages(model: string): Received[] {
  return receiver.received.filter(({ message }) => message.groupLabels['model'] === model);
}

type Delivery = { event: string; delivery: string; attempts: number; delivery_error: string | null };

async function deliveries(model: string): Promise<Delivery[]> {
  const { rows } = await superuser.query<Delivery>(
    `select event, delivery, attempts::int, delivery_error from pgscore_bi.alert_history where model_name = $1 order by event_id`,
    [model],
  );
  return rows;
}

async function expectDeliveries(model: string, expected: Partial<Delivery>[]): Promise<void> {
  await waitFor(
    async () => {
      expect(await deliveries(model)).toMatchObject(expected);
      return true;
    },
    { message: 'the deliveries' },
  );
}

/** Instead of waiting for the pause to pass. */
async function tryAgain(): Promise<void> {
  await superuser.query('update pgscore_data.alert_event set next_attempt_at = now() where delivered_at is null');
}

test('an alert is told as Alertmanager would, signed, and then that it resolved', async () => {
  const model = await failing('plain');
  const first = await waitFor(() => messages('plain')[0], { message: 'a message' });
  expect([first.path, isSigned(first, SECRET), isSigned(first, 'another')]).toEqual([`/${TOKEN}`, true, false]);
  expect(first.message).toMatchObject({
    version: '4',
    groupKey: '{}:{model="plain"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'pgscore',
    groupLabels: { model: 'plain' },
    externalURL: '',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'low', model: 'plain', version: '1', metric: 'accuracy', severity: 'critical' },
        annotations: { value: '0.5', lower_threshold: '0.8', n: '10000', event: 'firing' },
        endsAt: '0001-01-01T00:00:00Z',
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
  });
  expect(first.message.commonLabels).toEqual(first.message.alerts[0]?.labels);
  expect(first.message.alerts[0]?.annotations['summary']).toMatch(
    /^low of plain@1 is firing: accuracy was 0\.5 on [-\d]{10}, below 0\.8\.$/,
  );
  await putDay(superuser, model, yesterday(), { accuracy: 0.95 });
  const second = await waitFor(() => messages('plain')[1], { message: 'a message' });
  expect(second.message).toMatchObject({
    status: 'resolved',
    alerts: [
      { status: 'resolved', annotations: { reason: 'recovered' }, fingerprint: first.message.alerts[0]?.fingerprint },
    ],
  });
  expect(second.message.alerts[0]?.startsAt).toBe(first.message.alerts[0]?.startsAt);
  await expectDeliveries('plain', [
    { delivery: 'delivered', attempts: 1 },
    { delivery: 'delivered', attempts: 1 },
  ]);
});

test('it is told again after 500, after a redirect, which is not followed, and after a refused connection, in order', async () => {
  receiver.answer = (response) => response.writeHead(500).end('no');
  const model = await failing('unheard');
  await expectDeliveries('unheard', [{ delivery: 'failing', attempts: 1, delivery_error: 'HTTP 500' }]);
  receiver.answer = (response) => response.writeHead(302, { location: '/elsewhere' }).end();
  await tryAgain();
  await expectDeliveries('unheard', [{ attempts: 2, delivery_error: 'HTTP 302; redirects are not followed' }]);
  await receiver.close();
  await tryAgain();
  await expectDeliveries('unheard', [{ attempts: 3, delivery_error: 'no connection: ECONNREFUSED' }]);
  await putDay(superuser, model, yesterday(), { accuracy: 0.95 });
  await expectDeliveries('unheard', [{ attempts: 3 }, { event: 'resolved', delivery: 'waiting', attempts: 0 }]);
  receiver.answer = ok;
  await receiver.open();
  await tryAgain();
  await expectDeliveries('unheard', [
    { delivery: 'delivered', attempts: 4 },
    { delivery: 'delivered', attempts: 1 },
  ]);
  const told = messages('unheard');
  expect(told.map(({ path }) => path)).toEqual(told.map(() => `/${TOKEN}`));
  expect(told.at(-1)?.message.alerts.map(({ status }) => status)).toEqual(['firing', 'resolved']);
});

test('what was not taken is told by the service that comes after', async () => {
  receiver.answer = (response) => response.writeHead(503).end();
  await failing('orphaned');
  await expectDeliveries('orphaned', [{ delivery: 'failing' }]);
  await service.kill();
  receiver.answer = ok;
  await tryAgain();
  const before = service.log();
  service = await startTestService(database, SETTINGS);
  await expectDeliveries('orphaned', [{ delivery: 'delivered' }]);
  expect(before).toContain('the alert webhook did not take alerts');
  expect(before).not.toContain(SECRET);
  expect(before).not.toContain(TOKEN);
});

test('a receiver that does not answer holds up neither alerts nor refreshes', async () => {
  receiver.answer = () => undefined;
  await failing('silent');
  await waitFor(() => messages('silent')[0], { message: 'a message' });
  await failing('other');
  await expectDeliveries('other', [{ event: 'firing' }]);
  expect(await deliveries('silent')).not.toMatchObject([{ delivery: 'delivered' }]);
});

test('a name that somebody made to break out of JSON arrives as it is', async () => {
  const name = `"}],\n{"x":'<script>, \u2028 ${'€'.repeat(20)}`;
  await receiver.close();
  await receiver.open();
  await tryAgain();
  await failing('hostile', name);
  const { message } = await waitFor(() => messages('hostile')[0], { message: 'a message', timeout: 20_000 });
  expect(message.alerts[0]?.labels['alertname']).toBe(name);
  expect(message.groupKey).toBe('{}:{model="hostile"}');
});
