import { beforeEach, describe, expect, test } from '@jest/globals';
import { beginPublication, RUN_LOST, finishRun } from '../../src/runs/publish.ts';
import { cancelRuns, renewRuns, recoverRuns } from '../../src/runs/lease.ts';
import { claimRuns } from '../../src/runs/claim.ts';
import { handBackRuns, requeueRun } from '../../src/runs/record-failures.ts';
import { cloneDatabase } from '../support/database.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';

const WORKER = '00000000-0000-4000-8000-000000000001';
const NOW = '2024-01-01';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const service = await database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD });
await addReadyModel(superuser, 'model');
await alice.query('create table source (id int primary key, x real)');

let run = '';

beforeEach(async () => {
  await alice.query('rollback');
  await service.query("rollback; set lock_timeout = '2s'");
  await superuser.query(
    `update pgscore_data.run set state = 'failed', error = 'for the test' where finished_at is null`,
  );
  run = await submitRun(alice, 'model', 'source');
});

const claim = () => claimRuns(service, WORKER, 60_000, 1, true, 0);
const cancel = async () => (await alice.query('select pgscore.cancel_run($1) as asked', [run])).rows;
const state = async () =>
  (await superuser.query('select state from pgscore_data.run where run_id = $1', [run])).rows[0]?.state;

describe('a cancellation that is not committed', () => {
  test('keeps a run neither from its lease nor from its publication', async () => {
    await claim();
    await alice.query('begin');
    expect(await cancel()).toEqual([{ asked: true }]);
    await service.query("update pgscore_data.run set lease_until = null where state = 'running'");
    await renewRuns(service, WORKER, 60_000, [run], [1], [0]);
    const leased = await superuser.query(
      'select lease_until is not null as leased from pgscore_data.run where run_id = $1',
      [run],
    );
    expect(leased.rows).toEqual([{ leased: true }]);
    await beginPublication(service, run, 1, WORKER, NOW, null, null);
    await finishRun(service, run, NOW, true, 1, 0, 0, 0, null);
    await alice.query('commit');
    expect(await state()).toBe('done');
    expect(await cancel()).toEqual([{ asked: false }]);
  });

  test('keeps nobody else from asking for one', async () => {
    await claim();
    await alice.query('begin');
    await cancel();
    const other = await database.client('alice');
    await other.query("set lock_timeout = '2s'");
    expect((await other.query('select pgscore.cancel_run($1) as asked', [run])).rows).toEqual([{ asked: true }]);
    await cancelRuns(service, WORKER);
    expect(await state()).toBe('cancelled');
  });
});

describe('one that is committed', () => {
  test('ends a run that nobody has begun at once', async () => {
    await cancel();
    expect(await state()).toBe('cancelled');
    expect(await claim()).toEqual([]);
  });

  test('ends one that was being looked at when it was asked for', async () => {
    await service.query('begin; select from pgscore_data.run for no key update');
    expect(await cancel()).toEqual([{ asked: true }]);
    await service.query('commit');
    expect(await claim()).toEqual([]);
    expect(await cancelRuns(service, WORKER)).toMatchObject([{ run_id: run }]);
    expect(await state()).toBe('cancelled');
  });

  test('stops the publication', async () => {
    await claim();
    await cancel();
    await expect(beginPublication(service, run, 1, WORKER, NOW, null, null)).rejects.toMatchObject({ code: RUN_LOST });
    expect(await cancelRuns(service, WORKER)).toMatchObject([{ run_id: run }]);
    expect(await state()).toBe('cancelled');
  });

  test.each([
    ['a failure that may pass', () => requeueRun(service, run, 1, 3, 'internal', 'for the test', null, null)],
    ['the stop of its service', () => handBackRuns(service, WORKER)],
    [
      'the loss of its service',
      async () => {
        await superuser.query('update pgscore_data.run set lease_until = now() where run_id = $1', [run]);
        await recoverRuns(service, [], [], 3);
      },
    ],
  ])('is not lost by %s', async (_, happen) => {
    await claim();
    await cancel();
    await happen();
    expect(await state()).toBe('cancelled');
  });
});

test('a request to cancel that goes round cancel_run() does not reach the run of another', async () => {
  const bob = await database.client('bob');
  const insert = 'insert into pgscore._cancel_request (run_id) values ($1)';
  await expect(bob.query(insert, [run])).rejects.toMatchObject({ code: '42704' });
  expect(await state()).toBe('queued');
});

test('a run that is to be stopped is noted once, however often that is asked', async () => {
  await claim();
  await cancel();
  await alice.query('select pgscore.cancel_run($1) from generate_series(1, 100)', [run]);
  const { rows } = await superuser.query(
    'select count(*)::int as notes from pgscore_data.cancellation where run_id = $1',
    [run],
  );
  expect(rows).toEqual([{ notes: 1 }]);
});
