import { expect, test } from '@jest/globals';
import pg from 'pg';

import { asOwner } from '../../src/install/as-owner.ts';
import { dropRoles } from '../../src/install/drop-roles.ts';
import { readHoldings } from '../../src/install/holdings.ts';
import { migrate } from '../../src/install/migrate.ts';
import { ROLES } from '../../src/install/roles.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { freshCluster, query } from './fresh-cluster.ts';

const cluster = await freshCluster();
const installer = await cluster.createLogin('createrole');
const alice = await cluster.createLogin();
const ROLE_NAMES = ROLES.map(({ name }) => name);

/** A database that the installer owns, with pgscore and a table of alice's that was asked to be scored. */
async function usedDatabase(): Promise<string> {
  const database = await cluster.createDatabase(installer);
  await migrate({ url: cluster.url(database, installer) });
  await cluster.run(`grant pgscore_user to ${alice}; create schema ${alice} authorization ${alice}`, database);
  await connected(database, undefined, (superuser) => addReadyModel(superuser, 'churn'));
  await query(
    cluster.url(database, alice),
    `create table customers (id int primary key, x real);
     select pgscore.score_table('churn', 'customers');
     select pgscore.schedule('nightly', '@daily', 'churn', 'customers');
     create view hers as select * from customers_scores`,
  );
  return database;
}

async function connected<T>(
  database: string,
  user: string | undefined,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: cluster.url(database, user) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function relationsIn(database: string): Promise<unknown[]> {
  const rows = await cluster.run(
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v') and n.nspname !~ '^pg_|information_schema' order by 1`,
    database,
  );
  return rows.map(({ name }) => name);
}

test('what there is, and what users built on it, is told beforehand', async () => {
  const database = await usedDatabase();
  const holdings = await connected(database, installer, (client) => asOwner(client, () => readHoldings(client)));
  expect(holdings).toEqual({
    models: 1,
    versions: 1,
    runs: 1,
    schedules: 1,
    targets: 1,
    predictions: 0,
    services: 0,
    dependents: ['customers_scores', 'customers_scores_history', 'hers'].map((view) => `view ${alice}.${view}`),
  });
});

test('nothing of pgscore is left, and what was scored is untouched', async () => {
  const database = await usedDatabase();
  await connected(database, installer, uninstall);
  expect(await relationsIn(database)).toEqual([`${alice}.customers`]);
  expect(await cluster.run("select nspname from pg_namespace where nspname like 'pgscore%'", database)).toEqual([]);
  expect(await cluster.run('select * from pg_default_acl', database)).toEqual([]);
  expect(await cluster.run("select count(*)::int as n from pg_roles where rolname like 'pgscore%'")).toEqual([
    { n: ROLE_NAMES.length },
  ]);
});

test('a database can be installed again afterwards', async () => {
  const database = await usedDatabase();
  await connected(database, installer, uninstall);
  expect((await migrate({ url: cluster.url(database, installer) })).applied.length).toBeGreaterThan(0);
});

test('more partitions than one transaction can lock are no obstacle', async () => {
  const database = await usedDatabase();
  await cluster.run(
    `do $$ begin for i in 2..300 loop
       execute format('create table pgscore_predictions.target_1_g%s partition of pgscore_predictions.target_1 for values in (%s)', i, i);
       if i % 50 = 0 then commit; end if;
     end loop; end $$`,
    database,
  );
  await connected(database, installer, uninstall);
  expect(await relationsIn(database)).toEqual([`${alice}.customers`]);
});

test('a member of nothing can uninstall nothing', async () => {
  const database = await usedDatabase();
  await expect(connected(database, alice, uninstall)).rejects.toMatchObject({
    code: 'missing_right',
    remedy: expect.stringContaining(`grant pgscore_owner to "${alice}"`),
  });
});

test('roles go with the last database that needs them, and not before', async () => {
  const [one, other] = [await usedDatabase(), await usedDatabase()];
  await connected(one, installer, async (client) => {
    await uninstall(client);
    const { dropped, kept } = await dropRoles(client);
    expect([...dropped, ...kept.map(({ role }) => role)].toSorted()).toEqual(ROLE_NAMES.toSorted());
    expect(kept.find(({ role }) => role === 'pgscore_owner')?.reason).toContain(`in database ${other}`);
  });
  const others = await cluster.run("select datname from pg_database where datname like 'database%'");
  for (const { datname } of others) {
    if (datname !== other) await cluster.run(`drop database ${String(datname)}`);
  }
  await connected(other, installer, async (client) => {
    await uninstall(client);
    expect((await dropRoles(client)).kept).toEqual([]);
  });
  expect(await cluster.run("select rolname from pg_roles where rolname like 'pgscore%'")).toEqual([]);
});
