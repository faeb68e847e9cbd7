import { expect, test } from '@jest/globals';

import { live } from '../monitor/alert-days.ts';
import { addMonitoredModel } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { runCli } from './run-cli.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
const url = database.url('alice');
const model = await addMonitoredModel(superuser, 'churn', 'binary');
await alice.query(`select pgscore.set_alert('churn', 'low', 'accuracy', threshold => 0.8)`);

test('where no alert is raised, it says so', async () => {
  expect(await runCli(['alerts'], { url })).toEqual({ exit: 0, stdout: 'No alert is raised.\n', stderr: '' });
});

test('those that are raised are listed, and every rule with --all', async () => {
  await live(superuser, model, [{ accuracy: 0.9 }, { accuracy: 0.5 }]);
  const { stdout } = await runCli(['alerts', 'churn'], { url });
  expect(stdout).toMatch(/churn@1 \| low .* firing \| warning .* accuracy was 0\.5 on 2026-03-02, below 0\.8\.$/m);
  const all = await runCli(['alerts', '--all', '--json'], { url });
  const alerts = JSON.parse(all.stdout) as { alert: string; state: string }[];
  expect(alerts.map(({ alert, state }) => [alert, state])).toContainEqual(['volume', 'insufficient_data']);
  expect(await runCli(['alerts', 'another'], { url })).toMatchObject({
    stdout: '',
    stderr: expect.stringContaining('model "another" does not exist'),
  });
});
