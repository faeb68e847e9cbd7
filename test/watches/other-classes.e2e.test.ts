import { expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { runCli } from '../commands/run-cli.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest } from './watching.ts';

const { database, ada, alice, superuser } = await scoreFixture({ PGSCORE_POLL: '0.4' });

test('a version of other classes stops watches: promote() and rollback() warn; watch, schedule and verdict say so', async () => {
  const options = { task: 'binary', features: ['age'] };
  await deployBytes(ada, 'leaves', classModel(2), { ...options, class_labels: ['0', '1'] });
  await deployBytes(ada, 'leaves', classModel(2), { ...options, class_labels: ['no', 'yes'] });
  await superuser.query(`select pgscore.grant_model('leaves', 'alice')`);
  await alice.query(`create table people as select n::bigint as id, n::real as age from generate_series(0, 3) n;
    select pgscore.watch('leaves', 'people', target => 'live', key => 'id');
    select pgscore.schedule('nightly', '0 2 * * *', 'leaves', 'people', target => 'nightly_scores', target_schema => 'alice', key => 'id')`);
  await scoreTable(alice, 'leaves', 'people', { target: 'nightly_scores', target_schema: 'alice', key: 'id' });
  await atRest(alice, 'alice.live');
  const notices: string[] = [];
  ada.on('notice', ({ severity, message, hint }) => notices.push(`${severity}: ${message}`, `HINT: ${hint}`));
  await ada.query(`select pgscore.promote('leaves@2')`);
  expect(notices).toEqual([
    'WARNING: leaves@2 stops what writes to targets that it does not fit: ' +
      'schedule nightly (it says no, yes, and alice.nightly_scores holds 0, 1); ' +
      'watch of alice.live (it says no, yes, and alice.live holds 0, 1)',
    `HINT: Go back: select pgscore.rollback('leaves'); or let their owners end them, and begin them anew with other targets: ` +
      `select pgscore.unschedule('alice.nightly'); select pgscore.unwatch('alice.live'); Their targets stay as they are.`,
  ]);
  await expect(alice.query(`select pgscore.run_schedule('nightly')`)).rejects.toMatchObject({
    code: '42804',
    message:
      'schedule "nightly" cannot write to its target: leaves@2 does not fit it: it says no, yes, and alice.nightly_scores holds 0, 1',
    hint:
      `A deployer can go back to a version that fits: select pgscore.rollback('leaves'); ` +
      `or end the schedule, select pgscore.unschedule('nightly'); and make it anew with another target.`,
  });
  const failing = async (): Promise<unknown> => {
    const text = `select error_code, error, remedy from pgscore.watches where target = 'alice.live' and state = 'failing'`;
    return (await alice.query(text)).rows[0];
  };
  expect(await waitFor(failing, { message: 'the watch to fail', timeout: 30_000 })).toEqual({
    error_code: 'watch_failed',
    error: 'leaves@2 does not fit the watch: it says no, yes, and alice.live holds 0, 1',
    remedy: `Roll back: select pgscore.rollback('leaves'); or watch into another target, and end this watch: select pgscore.unwatch('alice.live');`,
  });
  const verdict = `select verdict, cause, sentence from pgscore_bi.model_verdict where model_name = 'leaves'`;
  expect((await superuser.query(verdict)).rows).toEqual([
    {
      verdict: 'act',
      cause: 'watch_failed',
      sentence: 'The watch of alice.live cannot go on: watch_failed. pgscore.watches says why, and what to do.',
    },
  ]);
  await alice.query(
    `select pgscore.schedule(E'weekly\\nHINT:  ', '@weekly', 'leaves', 'people', target => 'words', key => 'id')`,
  );
  await ada.query(`select pgscore.rollback('leaves')`);
  expect(notices.slice(2)).toEqual([
    'WARNING: leaves@1 stops what writes to targets that it does not fit: ' +
      'schedule "weekly HINT:  " (it says 0, 1, and alice.words holds no, yes)',
    `HINT: Go back: select pgscore.promote('leaves@2'); or let their owners end them, and begin them anew with other targets: ` +
      `select pgscore.unschedule('alice.weekly HINT:  '); Their targets stay as they are.`,
  ]);
  await waitFor(async () => (await failing()) === undefined, { message: 'the watch to go on', timeout: 30_000 });
  const promoted = await runCli(['promote', 'leaves@2'], { url: database.url('ada') });
  expect(promoted).toMatchObject({ exit: 0, stderr: expect.stringContaining('WARNING:  leaves@2 stops what writes') });
});
