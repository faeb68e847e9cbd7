import { beforeAll, describe, expect, test } from '@jest/globals';
import { beginPublication, finishRun, createGeneration } from '../../src/runs/publish.ts';
import { claimRuns } from '../../src/runs/claim.ts';
import { dropGenerations, foldGeneration, retireGenerations } from '../../src/runs/tidy.ts';
import { cloneDatabase } from '../support/database.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';

const WORKER = '00000000-0000-4000-8000-000000000001';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const service = await database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD });
await addReadyModel(superuser, 'model');
await alice.query('create table source (id int primary key, x real)');

/** A generation of a run that has failed; its number. */
async function spareGeneration(): Promise<number> {
  const run = await submitRun(alice, 'model', 'source');
  await claimRuns(service, WORKER, 60_000, 1, true, 0);
  const [created] = await createGeneration(service, run, 1);
  await superuser.query(`update pgscore_data.run set state = 'failed', error = 'for the test' where run_id = $1`, [
    run,
  ]);
  return created?.generation ?? 0;
}

test('a generation that no run loads any more is dropped, once', async () => {
  const generation = await spareGeneration();
  expect(await dropGenerations(service)).toMatchObject([{ generation, dropped: true }]);
  expect(await dropGenerations(service)).toEqual([]);
});

test('one that a run loads is not', async () => {
  const run = await submitRun(alice, 'model', 'source');
  await claimRuns(service, WORKER, 60_000, 1, true, 0);
  await createGeneration(service, run, 1);
  expect(await dropGenerations(service)).toEqual([]);
});

test.each(['0 minutes', '2 hours'])('one of %s ago waits for readers of its target', async (age) => {
  const generation = await spareGeneration();
  await superuser.query(
    'update pgscore_data.generation set created_at = created_at - $2::interval where generation = $1',
    [generation, age],
  );
  await alice.query('begin');
  await alice.query('select from source_scores');
  expect(await dropGenerations(service)).toMatchObject([{ generation, dropped: false }]);
  await alice.query('commit');
  expect(await dropGenerations(service)).toMatchObject([{ generation, dropped: true }]);
});

describe('published generations', () => {
  /** Publishes a row as large runs do: in a generation of its own. */
  async function publish(row: number, target = 'often'): Promise<void> {
    const run = await submitRun(alice, 'model', 'source', { target });
    await claimRuns(service, WORKER, 60_000, 1, true, 0);
    const [created] = await createGeneration(service, run, 1);
    const generation = created?.generation ?? 0;
    const { rows } = await superuser.query<{ id: number; name: string }>(
      `select target_id as id, format('pgscore_predictions.target_%s_g%s', target_id, $2::int) as name from pgscore_data.run where run_id = $1`,
      [run, generation],
    );
    const insert = `insert into ${rows[0]?.name} (id, score) values ($1::int, $1::int)`;
    await service.query(insert, [row]);
    await beginPublication(service, run, 1, WORKER, `2024-01-01 00:00:${row % 60}+00`, null, null);
    await finishRun(service, run, '2024-01-01', true, generation, 1, 0, 0, null);
  }

  /** As often as the service does it until nothing more happens. None goes that is not kept for labels. */
  async function sweep(): Promise<void> {
    await superuser.query('select pgscore.refresh()');
    await retireGenerations(service);
    while ((await dropGenerations(service)).some(({ dropped }) => dropped));
  }

  const partitions = async (): Promise<number> => {
    const { rows } = await superuser.query<{ n: number }>(
      `select count(*)::int as n from pg_inherits i join pgscore_data.target t
         on i.inhparent = to_regclass('pgscore_predictions.target_' || t.target_id) where t.view_name = 'often'`,
    );
    return rows[0]?.n ?? 0;
  };

  const LATEST = 'select score from alice.often';
  const HISTORY = 'select score from alice.often_history order by score';

  test('of more than the newest 40 are dropped, when no snapshot can see them any more', async () => {
    await publish(1);
    await publish(2);
    const reader = await database.client('alice');
    await reader.query('begin isolation level repeatable read; select');
    for (let row = 3; row < 50; row += 1) await publish(row);
    await sweep();
    expect((await alice.query(HISTORY)).rows).toHaveLength(41);
    expect((await reader.query(LATEST)).rows).toEqual([{ score: 2 }]);
    expect((await reader.query(HISTORY)).rows).toEqual([{ score: 1 }, { score: 2 }]);
    const importer = await database.client('alice');
    const { rows } = await reader.query<{ id: string }>('select pg_export_snapshot() as id');
    const takeOver = `begin isolation level repeatable read; set transaction snapshot '${rows[0]?.id}'`;
    await importer.query(takeOver);
    await reader.query('commit');
    await sweep();
    expect((await importer.query(LATEST)).rows).toEqual([{ score: 2 }]);
    await importer.query('commit');
    await waitFor(async () => {
      await sweep();
      return (await partitions()) === 43;
    });
    expect((await reader.query(LATEST)).rows).toEqual([{ score: 49 }]);
  });

  test('stay while the rows of an arm in them are not kept for labels', async () => {
    await publish(1, 'split');
    await publish(2, 'split');
    const { rows } = await superuser.query<{ run: string; arm: string }>(
      `with arm as (
         insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, rls, error_limit, state,
           generation, rows_done, arm_of, counted, kept)
         select r.requested_by, r.version_id, r.target_id, r.source_schema, r.source_name, r.source_kind, r.rls, r.error_limit, 'done',
                r.generation, 1, r.run_id, true, false
           from pgscore_data.run r join pgscore_data.target t using (target_id)
          where t.view_name = 'split' and r.generation < t.current_generation order by r.run_id desc limit 1
         returning run_id as arm, arm_of as run
       )
       update pgscore_data.run r set counted = true, kept = true from arm where r.run_id = arm.run returning arm.run, arm.arm`,
    );
    await alice.query("select pgscore.keep_history('split', '0 days')");
    const retired = async (): Promise<boolean> => {
      await retireGenerations(service);
      const { rows: found } = await superuser.query(
        `select g.state from pgscore_data.run r join pgscore_data.generation g using (target_id, generation) where r.run_id = $1`,
        [rows[0]?.run],
      );
      return found[0]?.state === 'retired';
    };
    expect(await retired()).toBe(false);
    await superuser.query('update pgscore_data.run set kept = true where run_id = $1', [rows[0]?.arm]);
    expect(await retired()).toBe(true);
  });

  test.each(['first', 'later'])(
    'of which small runs fill the %s go when the newest of those is past',
    async (which) => {
      const target = `small_${which}`;
      if (which === 'later') await publish(1, target);
      const run = await submitRun(alice, 'model', 'source', { target });
      await claimRuns(service, WORKER, 60_000, 1, true, 0);
      const { rows } = await superuser.query<{ id: number; generation: number }>(
        'select target_id as id, current_generation as generation from pgscore_data.target where view_name = $1',
        [target],
      );
      const { id = 0, generation = 0 } = rows[0] ?? {};
      const insert = `insert into pgscore_predictions.target_${id} (generation, run_id, id, score) values ($1, $2, 2, 2)`;
      await service.query(insert, [generation, run]);
      await beginPublication(service, run, 1, WORKER, '2024-01-01 00:00:02+00', null, null);
      await finishRun(service, run, '2024-01-01', true, generation, 1, 0, 0, null);
      await publish(3, target);
      await superuser.query(
        `update pgscore_data.generation set created_at = created_at - interval '401 days' where target_id = $1`,
        [id],
      );
      await sweep();
      const shown = `select score from alice.${target}_history where score > 1 order by score`;
      expect((await alice.query(shown)).rows).toEqual([{ score: 2 }, { score: 3 }]);
      await superuser.query(
        `update pgscore_data.run set finished_at = finished_at - interval '401 days' where target_id = $1`,
        [id],
      );
      await sweep();
      expect((await alice.query(shown)).rows).toEqual([{ score: 3 }]);
    },
  );

  test('are kept for a reader that never ends up to 100 of a target', async () => {
    const reader = await database.client('alice');
    await reader.query('begin isolation level repeatable read; select');
    for (let row = 50; row < 160; row += 1) await publish(row);
    await sweep();
    expect(await partitions()).toBe(143);
    await reader.query('commit');
  });

  describe('of a target whose history goes by time', () => {
    beforeAll(async () => {
      // The newest 40 of the 159 above stay as they are.
      await alice.query("select pgscore.keep_history('often', '30 days')");
      for (let row = 160; row < 165; row += 1) await publish(row);
      await superuser.query('select pgscore.refresh()');
    });

    async function shown(client = alice): Promise<number[]> {
      const { rows } = await client.query<{ score: number }>(HISTORY);
      return rows.map(({ score }) => score);
    }

    test('are folded past the newest 40, and each is shown once to every snapshot', async () => {
      const before = await shown();
      const reader = await database.client('alice');
      await reader.query('begin isolation level repeatable read; select');
      while ((await foldGeneration(service))[0]?.folded === true);
      expect(await shown()).toEqual(before);
      expect(await shown(reader)).toEqual(before);
      await reader.query('commit');
      await waitFor(async () => {
        await sweep();
        return (await partitions()) === 43;
      });
      expect(await shown()).toEqual(before);
      expect(
        (await alice.query("select keep_history::text from pgscore.targets where target like '%often'")).rows,
      ).toEqual([{ keep_history: '30 days' }]);
    });

    test('are forgotten while they are folded', async () => {
      await superuser.query(
        'insert into pgscore_data.monitor (model_id) select model_id from pgscore_data.model on conflict do nothing',
      );
      await publish(165);
      await superuser.query('select pgscore.refresh()');
      const [last] = await shown();
      await service.query('begin');
      expect(await foldGeneration(service)).toEqual([{ folded: true }]);
      const forgotten = superuser.query("select pgscore.forget('model', key => $1)", [String(last)]);
      await waitFor(
        async () =>
          (await alice.query("select from pg_locks where not granted and mode = 'RowExclusiveLock'")).rowCount === 1,
      );
      await service.query('commit');
      await forgotten;
      expect(await shown()).not.toContain(last);
    });

    test('are deleted when they are older, once they are kept for labels', async () => {
      const before = await shown();
      const old = before.slice(0, 3);
      await superuser.query(
        `update pgscore_data.run set finished_at = finished_at - interval '31 days'
          where run_id in (select run_id from alice.often_history where score = any ($1))`,
        [old],
      );
      await superuser.query(
        `update pgscore_data.run set kept = false where run_id = (select run_id from alice.often_history where score = $1)`,
        [old[2]],
      );
      await service.query('select pgscore_data._prune_history(20, 1000)');
      expect(await shown()).toEqual(before.slice(2));
    });

    test('are deleted, too, where a watch goes on with the target, which keeps what it replaces by itself', async () => {
      const before = await shown();
      await superuser.query(
        `update pgscore_data.run set kept = true, finished_at = finished_at - interval '31 days'
        where run_id in (select run_id from alice.often_history where score = any ($1))`,
        [before.slice(0, 2)],
      );
      await alice.query(`select pgscore.watch('model', 'source', target => 'often')`);
      await superuser.query(
        `update pgscore_data.run set watch_id = (select watch_id from pgscore_data.watch)
        where run_id = (select run_id from alice.often_history where score = $1)`,
        [before[1]],
      );
      await service.query('select pgscore_data._prune_history(20, 1000)');
      expect(await shown()).toEqual(before.slice(1));
      await alice.query(`select pgscore.unwatch('often')`);
      await service.query('select pgscore_data._prune_history(20, 1000)');
      expect(await shown()).toEqual(before.slice(2));
    });
  });

  test('keep_history refuses what it cannot do', async () => {
    for (const keep of ['-1 day', '10000 years', '10000 years -3600000 days', '-00:00:01']) {
      await expect(alice.query("select pgscore.keep_history('often', $1::interval)", [keep])).rejects.toMatchObject({
        code: '22023',
        message: expect.stringMatching(/^keep => .* is not between nothing and 100 years$/),
      });
    }
    await alice.query("select pgscore.keep_history('often', '100 years')");
    await retireGenerations(service);
    await service.query('select pgscore_data._prune_history(20, 1000)');
    const bob = await database.client('bob');
    await expect(bob.query("select pgscore.keep_history('alice.often', '1 day')")).rejects.toMatchObject({
      code: '42704',
      message: 'target "alice.often" does not exist, or is not yours',
    });
  });
});
