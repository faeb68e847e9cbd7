import { expect, test } from '@jest/globals';
import type pg from 'pg';

import { checkCitus } from '../../src/commands/doctor/citus.ts';
import { migrate } from '../../src/install/migrate.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { describeOnCitus } from '../support/citus.ts';

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

  test('goes, and leaves nothing', async () => {
    const superuser = await database.client();
    await uninstall(superuser as pg.Client);
    for (const client of [superuser, await database.worker(0), await database.worker(1)]) {
      expect((await client.query(SCHEMAS)).rows).toEqual([]);
    }
  });
});
