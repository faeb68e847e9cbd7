import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { expect, test } from '@jest/globals';
import type pg from 'pg';

import { checkCitus } from '../../src/commands/doctor/server.ts';
import { adopt } from '../../src/install/installation.ts';
import { migrate } from '../../src/install/migrate.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { type CitusDatabase, describeOnCitus } from '../support/citus.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SCHEMAS = "select nspname from pg_namespace where nspname ~ '^pgscore' order by 1";

await describeOnCitus('an installation on a coordinator', (database) => {
  test('is local to it, with its roles on every node', async () => {
    const superuser = await database.client();
    expect((await superuser.query('select from pg_dist_partition')).rowCount).toBe(0);
    const worker = await database.worker(0);
    expect((await worker.query("select from pg_tables where schemaname ~ '^pgscore'")).rowCount).toBe(0);
    const { rows } = await worker.query(
      "select rolname, rolcanlogin from pg_roles where rolname ~ '^pgscore_(owner|user|reader)' order by 1",
    );
    expect(rows).toEqual([
      { rolname: 'pgscore_owner', rolcanlogin: false },
      { rolname: 'pgscore_reader', rolcanlogin: true },
      { rolname: 'pgscore_user', rolcanlogin: false },
    ]);
  });

  test('is brought up to date again, and doctor names the nodes', async () => {
    expect((await migrate({ url: database.url() })).applied).toEqual([]);
    const findings = await checkCitus(await database.client());
    expect(findings).toEqual([
      {
        check: 'Citus',
        status: 'ok',
        detail: expect.stringMatching(/^1\d\.\S+, coordinator of 127\.0\.0\.1:\d+, 127/),
      },
    ]);
  });

  test('is refused on a worker', async () => {
    const [workerUrl] = database.workerUrls;
    await expect(migrate({ url: workerUrl })).rejects.toMatchObject({
      code: 'server_unsupported',
      message: 'this server is a worker of Citus',
    });
    expect(await checkCitus(await database.worker(0))).toMatchObject([{ status: 'fail' }]);
  });

  test('is restored from a dump of the coordinator', async () => {
    const service = await startTestService(database);
    const [superuser, alice] = [await database.client(), await database.client('alice')];
    await superuser.query('grant create on schema public to alice');
    await deployBytes(await database.client('ada'), 'sums', weightedModel({ a: 'int32', b: 'int32' }));
    await alice.query(`create table spread (id bigint primary key, a int, b int);
      select create_distributed_table('spread', 'id');
      insert into spread select g, g, 2 from generate_series(1, 100) g`);
    await scoreTable(alice, 'sums', 'spread');
    await service.stop();

    const copy = await restored(database);
    await migrate({ url: copy.url() });
    const restorer = await copy.client();
    await restorer.query(`select create_distributed_table('public.spread', 'id')`);
    const asker = await copy.client('alice');
    for (const answer of [
      'select max(score) as score from spread_scores',
      `select max(score('sums', s)) as score from spread s`,
    ])
      expect((await asker.query(answer)).rows).toEqual([{ score: 120 }]);
    await adopt(restorer as pg.Client);
    await startTestService(copy);
    expect(await scoreTable(asker, 'sums', 'spread')).toMatchObject({ state: 'done', rows_done: '100' });
    const { rows } = await asker.query('select count(*)::int as n from spread_scores_history');
    expect(rows).toEqual([{ n: 200 }]);
  });

  test('gets new functions to the workers by migrate', async () => {
    const [worker, alice] = [await database.worker(0), await database.client('alice')];
    const { rows } = await worker.query<{ dispatch: string }>(
      `select oid::regprocedure as dispatch from pg_proc where proname = '_score_row'`,
    );
    const drop = `set citus.enable_ddl_propagation = off; drop function ${rows[0]?.dispatch}`;
    await worker.query(drop);
    await migrate({ url: database.url() });
    expect((await alice.query(`select max(score('sums', s)) as score from spread s`)).rows).toEqual([{ score: 120 }]);
  });

  test('that was made before the extension is mended by migrate', async () => {
    const late = await database.another();
    const superuser = await late.client();
    await superuser.query('drop extension citus cascade');
    await migrate({ url: late.url() });
    await superuser.query('create extension citus');
    await superuser.query('select citus_set_coordinator_host($1, $2)', [
      new URL(late.url()).hostname,
      Number(new URL(late.url()).port),
    ]);
    for (const url of late.workerUrls)
      await superuser.query('select citus_add_node($1, $2)', [new URL(url).hostname, Number(new URL(url).port)]);
    const asked = await late.client();
    expect(await checkCitus(asked)).toContainEqual(
      expect.objectContaining({ status: 'fail', detail: 'pgscore was installed before Citus' }),
    );
    await migrate({ url: late.url() });
    expect(await checkCitus(asked)).toMatchObject([{ status: 'ok' }]);
  });

  test('goes, and leaves nothing', async () => {
    const superuser = await database.client();
    await uninstall(superuser as pg.Client);
    for (const client of [superuser, await database.worker(0), await database.worker(1)]) {
      expect((await client.query(SCHEMAS)).rows).toEqual([]);
    }
  });
});

/** A database on the same nodes with what a dump of the coordinator holds, as the guide has it. */
async function restored(database: CitusDatabase): Promise<CitusDatabase> {
  const copy = await database.another();
  const folder = await mkdtemp(join(tmpdir(), 'pgscore-dump-'));
  const [run, file] = [promisify(execFile), join(folder, 'dump')];
  const env = { ...process.env, PGOPTIONS: '-c citus.enable_ddl_propagation=off' };
  try {
    await run(database.program('pg_dump'), ['--format=custom', `--file=${file}`, database.url()]);
    for (const sections of [['--section=pre-data', '--section=data'], ['--section=post-data']]) {
      const flags = ['--exit-on-error', ...sections, `--dbname=${copy.url()}`, file];
      await run(database.program('pg_restore'), flags, { env });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return copy;
}
