import { readFile } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '2' });
const [superuser, ada, alice, bob, mallory] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
  database.client('mallory'),
]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await alice.query('create table orders (id int primary key, a real); insert into orders values (1, 1), (2, null)');
const run = await scoreTable(alice, 'same', 'orders');
await alice.query(`select pgscore.schedule('hers', '0 2 * * *', 'same', 'orders')`);

describe('what belongs to another role', () => {
  test.each(['runs', 'run_errors', 'targets', 'schedules', 'schedule_history'])(
    'is not shown by pgscore.%s',
    async (view) => {
      const text = `select * from pgscore.${view}`;
      if (view !== 'schedule_history') expect((await alice.query(text)).rows.length).toBeGreaterThan(0);
      expect((await bob.query(text)).rows).toEqual([]);
    },
  );

  test.each([
    [`select pgscore.cancel_run(${run.run})`, '42704'],
    [`call pgscore.wait_for_run(${run.run})`, '42704'],
    [`select pgscore.drop_target('alice.orders_scores')`, '42704'],
    [`select pgscore.run_schedule('hers')`, '42704'],
    [`select pgscore.pause_schedule('hers')`, '42704'],
    [`select pgscore.resume_schedule('hers')`, '42704'],
    [`select pgscore.unschedule('hers')`, '42704'],
    [`select pgscore._fire(1, now())`, '42704'],
    [`select * from alice.orders_scores`, '42501'],
    [`select * from pgscore_predictions.target_1_history`, '42501'],
  ])('is out of reach: %s', async (text, code) => {
    expect((await refusal(bob, text)).code).toBe(code);
  });

  test('is left as it was by requests that go round the functions', async () => {
    for (const text of [
      `insert into pgscore._cancel_request (run_id) values (${run.run})`,
      `insert into pgscore._schedule_command (action, schedule_id) values ('pause', 1)`,
      `insert into pgscore._schedule_command (action, schedule_id) values ('drop', 1)`,
      'insert into pgscore._drop_request (target_id) values (1)',
      'insert into pgscore._history_request (target_id) values (1)',
    ]) {
      expect(await refusal(bob, text)).toMatchObject({ code: '42704' });
    }
    expect((await alice.query('select state from pgscore.schedules')).rows).toEqual([{ state: 'active' }]);
    expect((await alice.query('select count(*)::int as rows from orders_scores')).rows).toEqual([{ rows: 2 }]);
  });

  test('is shared with the members of a role that owns it, and with nobody else', async () => {
    await superuser.query(`
      do $$ begin create role analysts; exception when duplicate_object then null; end $$;
      grant analysts to alice, bob; grant pgscore_user to analysts;
      grant usage, create on schema alice to analysts; grant select on alice.orders to analysts`);
    await alice.query('set role analysts');
    const shared = await scoreTable(alice, 'same', 'alice.orders', { target: 'shared', target_schema: 'alice' });
    await alice.query('reset role');
    expect(shared).toMatchObject({ state: 'done', requested_by: 'analysts' });
    expect((await bob.query('select run from pgscore.runs')).rows).toEqual([{ run: shared.run }]);
    expect((await mallory.query('select run from pgscore.runs')).rows).toEqual([]);
  });
});

describe('changing models', () => {
  const bytes = readFile(new URL('../../demo/models/air_time_january.onnx', import.meta.url));

  test.each([
    `select pgscore.deploy('evil', $1::bytea)`,
    `insert into pgscore._deployment (model, bytes) values ('evil', $1::bytea)`,
  ])('is refused to a plain user: %s', async (text) => {
    expect((await refusal(mallory, text, [await bytes])).code).toBe('42501');
  });

  test.each([
    `select pgscore.promote('same@1')`,
    `select pgscore.rollback('same')`,
    `select pgscore.set_alias('same@1', 'mine')`,
    `select pgscore.drop_version('same@1')`,
    `select pgscore.drop_model('same')`,
    `select pgscore.rename_model('same', 'evil')`,
    `select pgscore._run_command('promote', 'same@1', null)`,
    `insert into pgscore._command (action, model) values ('drop_model', 'same')`,
    `select * from pgscore.audit`,
    `update pgscore_data.version set state = 'ready'`,
    `insert into pgscore_data.alias values (1, 'champion', 1)`,
  ])('is refused to a plain user: %s', async (text) => {
    expect((await refusal(mallory, text)).code).toBe('42501');
  });

  test('and a deployer can neither write the log nor hide who she is', async () => {
    for (const text of [
      'delete from pgscore.audit',
      `insert into pgscore_data.audit (actor, action, model) values ('bob', 'deploy', 'same')`,
      `insert into pgscore._command (action, model, requested_by) values ('promote', 'same@1', 'bob')`,
    ]) {
      expect((await refusal(ada, text)).code).toMatch(/^(42501|55000)$/);
    }
  });

  test('a model that is not ready can be neither promoted nor run, whatever its bytes', async () => {
    await ada.query(`select pgscore.deploy('broken', 'not a model')`);
    await refusal(ada, `call pgscore.wait_for_version('broken@1')`);
    expect((await refusal(ada, `select pgscore.promote('broken@1')`)).code).toBe('55000');
    expect((await refusal(alice, `select pgscore.score_table('broken@1', 'orders')`)).code).toBe('55000');
  });
});

describe('a role without any right of pgscore', () => {
  test.each([
    `select * from pgscore.models`,
    `select pgscore.score_table('same', 'alice.orders')`,
    `select * from pgscore.runs`,
    `create view pgscore_sources.x as select 1`,
    `select * from pgscore_predictions.target_1_latest`,
  ])('has none: %s', async (text) => {
    await superuser.query(`do $$ begin create role outsider; exception when duplicate_object then null; end $$`);
    await superuser.query('begin');
    await superuser.query('set local role outsider');
    expect((await refusal(superuser, text)).code).toBe('42501');
    await superuser.query('rollback');
  });
});
