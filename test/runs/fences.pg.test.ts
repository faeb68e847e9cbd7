import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { claimRuns, claimShard } from '../../src/runs/claim.ts';
import { evictHolders, recoverRuns, recoverShards } from '../../src/runs/lease.ts';
import { failRun, handBackRuns, handBackShards, releaseShard, requeueRun } from '../../src/runs/record-failures.ts';
import { finishShard, openShards, shardsDone } from '../../src/runs/shards.ts';
import { createGeneration } from '../../src/runs/publish.ts';
import { cloneDatabase } from '../support/database.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';

const ANN = '00000000-0000-4000-8000-000000000001';
const BEN = '00000000-0000-4000-8000-000000000002';
const LEASE_MS = 60_000;
const MOST = 3;

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const service = await serviceClient();
await addReadyModel(superuser, 'model');
await alice.query('create table source (id int primary key, x real)');

let run = '';

beforeEach(async () => {
  await superuser.query('delete from pgscore_data.run');
  run = await submitRun(alice, 'model', 'source');
});

function serviceClient(): Promise<Client> {
  return database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD });
}

/** The number under which a worker has claimed the run; undefined where there is nothing to claim. */
async function claim(worker: string, leaseMs = LEASE_MS): Promise<number | undefined> {
  const [row] = await claimRuns(service, worker, leaseMs, 1, true, 0);
  return row?.attempt;
}

/** Opens the run's one shard under an attempt. */
async function open(worker: string, attempt: number): Promise<void> {
  const [created] = await createGeneration(service, run, attempt);
  await openShards(service, run, attempt, worker, 'A-1', 'now', created?.generation ?? 0, [0], [null], null, null);
}

async function shown(): Promise<unknown> {
  const { rows } = await alice.query('select state, attempt, error_code from pgscore.runs where run = $1', [run]);
  return rows[0];
}

test('a run that was handed back is claimed under a new number, and was not tried', async () => {
  expect(await claim(ANN)).toBe(1);
  await handBackRuns(service, ANN);
  expect(await shown()).toMatchObject({ state: 'queued', attempt: 0 });
  expect(await claim(BEN)).toBe(2);
  expect(await shown()).toMatchObject({ state: 'running', attempt: 1 });
});

test('nothing that an earlier holder says of a run counts', async () => {
  await claim(ANN);
  await handBackRuns(service, ANN);
  await claim(ANN);
  expect(await failRun(service, run, 1, 'internal', 'late', null, 0, 0)).toEqual([]);
  expect(await requeueRun(service, run, 1, MOST, 'internal', 'late', null, null)).toEqual([]);
  expect(await shown()).toMatchObject({ state: 'running', attempt: 1 });
});

test('a shard of an earlier attempt cannot end one of a later, though both have the same number and fence', async () => {
  await claim(ANN);
  await open(ANN, 1);
  const [early] = await claimShard(service, BEN, LEASE_MS, true);
  await handBackRuns(service, ANN);
  await claim(ANN);
  await open(ANN, 2);
  const [late] = await claimShard(service, BEN, LEASE_MS, true);
  expect([early?.shard, early?.fence]).toEqual([late?.shard, late?.fence]);
  expect(await finishShard(service, run, 1, 1, 1, 10, 0, 0)).toEqual([]);
  expect(await finishShard(service, run, 2, 1, 1, 10, 0, 0)).toEqual([{ shard: 1 }]);
});

test('who opens the shards of an attempt waits for nobody who is about to end one of an earlier', async () => {
  await claim(ANN);
  await open(ANN, 1);
  await claimShard(service, ANN, LEASE_MS, true);
  const stopped = await serviceClient();
  await stopped.query('begin');
  expect(await finishShard(stopped, run, 1, 1, 1, 10, 0, 0)).toEqual([{ shard: 1 }]);
  await handBackRuns(service, ANN);
  await claim(BEN);
  await open(BEN, 2);
  await stopped.query('commit');
  const { rowsDone: rows } = (await shardsDone(service, run, 2))[0] ?? {};
  expect(rows).toBe(0);
  expect(await claimShard(service, BEN, LEASE_MS, true)).toMatchObject([{ attempt: 2, fence: 1 }]);
});

test('a shard that was handed back has a new fence, and was not tried', async () => {
  await claim(ANN);
  await open(ANN, 1);
  await claimShard(service, BEN, LEASE_MS, true);
  await handBackShards(service, BEN);
  expect(await claimShard(service, BEN, LEASE_MS, true)).toMatchObject([{ fence: 2, tries: 1 }]);
  expect(await finishShard(service, run, 1, 1, 1, 10, 0, 0)).toEqual([]);
});

test('a worker that stops claims no shards but of the runs that it shards', async () => {
  await claim(ANN);
  await open(ANN, 1);
  expect(await claimShard(service, BEN, LEASE_MS, false)).toEqual([]);
  expect(await claimShard(service, ANN, LEASE_MS, false)).toMatchObject([{ fence: 1 }]);
});

test('a run is tried three times', async () => {
  for (const state of ['queued', 'queued', 'failed']) {
    const attempt = (await claim(ANN)) ?? 0;
    expect(await requeueRun(service, run, attempt, MOST, 'scorer_lost', 'it died', null, null)).toEqual([{ state }]);
  }
  expect(await shown()).toEqual({ state: 'failed', attempt: 3, error_code: 'scorer_lost' });
});

test('a run whose service is lost is tried three times', async () => {
  for (const state of ['queued', 'queued', 'failed']) {
    await claim(ANN, 0);
    expect(await recoverRuns(service, [], [], MOST)).toMatchObject([{ run_id: run, state }]);
  }
  expect(await shown()).toEqual({ state: 'failed', attempt: 3, error_code: 'service_lost' });
});

test('a service takes over what another lost, and nothing that it holds itself', async () => {
  await claim(ANN, -LEASE_MS);
  await open(ANN, 1);
  await claimShard(service, ANN, -LEASE_MS, true);
  expect(await recoverShards(service, [run], [1], [1], [1])).toEqual([]);
  expect(await recoverRuns(service, [run], [1], MOST)).toEqual([]);
  expect(await recoverShards(service, [run], [1], [1], [0])).toEqual([{ run_id: run, shard: 1 }]);
  expect(await recoverRuns(service, [run], [0], MOST)).toMatchObject([{ run_id: run, state: 'queued' }]);
});

test('a run that could not be begun waits, and was not tried', async () => {
  await claim(ANN);
  await requeueRun(service, run, 1, 1, 'database_unreachable', 'the server is full', null, LEASE_MS);
  expect(await claim(ANN)).toBeUndefined();
  expect(await shown()).toEqual({ state: 'queued', attempt: 0, error_code: 'database_unreachable' });
});

test('a shard that could not be begun waits, and was not tried', async () => {
  await claim(ANN);
  await open(ANN, 1);
  await claimShard(service, BEN, LEASE_MS, true);
  await releaseShard(service, run, 1, 1, 1, 'the server is full', LEASE_MS);
  expect(await claimShard(service, BEN, LEASE_MS, true)).toEqual([]);
  const { rows } = await superuser.query('select state, fence - handed_back as tries from pgscore_data.shard');
  expect(rows).toEqual([{ state: 'queued', tries: 0 }]);
});

test.each(['requeued', 'handed back', 'recovered'])('a cancelled run that is %s ends', async (how) => {
  const attempt = (await claim(ANN, how === 'recovered' ? 0 : LEASE_MS)) ?? 0;
  await alice.query('select pgscore.cancel_run($1)', [run]);
  if (how === 'requeued') await requeueRun(service, run, attempt, MOST, 'scorer_lost', 'it died', null, null);
  if (how === 'handed back') await handBackRuns(service, ANN);
  if (how === 'recovered') await recoverRuns(service, [], [], MOST);
  expect(await shown()).toMatchObject({ state: 'cancelled' });
});

describe('a session that holds a run long after its lease', () => {
  let holder: Client;
  let pid = 0;

  beforeEach(async () => {
    await claim(ANN, -LEASE_MS);
    holder = await serviceClient();
    pid = (await holder.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0;
    await holder.query('begin');
    await holder.query('select from pgscore_data.run where run_id = $1 for no key update', [run]);
  });

  async function waitsFor(what: 'Client' | 'Lock'): Promise<void> {
    await waitFor(async () => {
      const { rows } = await service.query('select from pg_stat_activity where pid = $1 and wait_event_type = $2', [
        pid,
        what,
      ]);
      return rows.length > 0;
    });
  }

  test('is ended where it waits for its client, but not by its own service', async () => {
    await waitsFor('Client');
    expect(await evictHolders(service, [run], [1])).toEqual([]);
    expect(await evictHolders(service, [run], [0])).toMatchObject([{ run_id: run, pid }]);
  });

  test('is let be where it waits for a lock', async () => {
    await superuser.query('begin');
    await superuser.query('select from pgscore_data.target for no key update');
    const waiting = holder.query('select from pgscore_data.target for no key update');
    await waitsFor('Lock');
    expect(await evictHolders(service, [], [])).toEqual([]);
    await superuser.query('rollback');
    await waiting;
    await holder.query('rollback');
  });
});
