import { expect, test } from '@jest/globals';
import pg from 'pg';

import { asOwner } from '../../src/install/installation.ts';
import { dropRoles, readHoldings, uninstall } from '../../src/install/uninstall.ts';
import { migrate } from '../../src/install/migrate.ts';
import { ROLES } from '../../src/install/roles.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { freshCluster, query } from './fresh-cluster.ts';

const cluster = await freshCluster();
const installer = await cluster.createLogin('createrole');
const alice = await cluster.createLogin();
const ROLE_NAMES = ROLES.map(({ name }) => name);

const used = await makeUsed();

/** A database that the installer owns, with pgscore and a table of alice's that was asked to be scored. */
function usedDatabase(): Promise<string> {
  return cluster.createDatabase(installer, used);
}

/** The first of them, of which all others are copies: to install takes longer. */
async function makeUsed(): Promise<string> {
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

test('of what users built all is told, wherever it stands, and nothing that is of pgscore', async () => {
  const database = await usedDatabase();
  await cluster.run(
    `grant select on pgscore.runs, pgscore.services to ${alice}; grant create on schema public to ${alice}`,
    database,
  );
  await query(
    cluster.url(database, alice),
    `create table pgscore_sources.hidden (id int primary key, x real default 1);
     create view pgscore_sources.peek as select * from customers;
     create function pgscore_sources.double(x int) returns int language sql return x * 2;
     create type pgscore_sources.colour as enum ('red');
     create table "order" (id serial primary key, colour pgscore_sources.colour, wide int generated always as (pgscore_sources.double(id)) stored);
     create table defaults (id int default pgscore_sources.double(1), constraint even check (pgscore_sources.double(id) > 0));
     create policy few on customers using (pgscore_sources.double(id) > 1);
     create function noisy() returns trigger language plpgsql as 'begin return new; end';
     create trigger loud before insert on customers for each row when (pgscore_sources.double(new.id) > 2) execute function noisy();
     create domain shade as pgscore_sources.colour;
     create function counted() returns bigint language sql begin atomic select count(*) from pgscore.runs; end`,
  );
  const { dependents } = await connected(database, installer, (client) => asOwner(client, () => readHoldings(client)));
  expect(dependents).toEqual(
    [
      `column colour of table ${alice}."order"`,
      `column wide of table ${alice}."order"`,
      `constraint even on table ${alice}.defaults`,
      `default value for column id of table ${alice}.defaults`,
      `function ${alice}.counted()`,
      'function pgscore_sources.double(integer)',
      `policy few on table ${alice}.customers`,
      'table pgscore_sources.hidden',
      `trigger loud on table ${alice}.customers`,
      `type ${alice}.shade`,
      'type pgscore_sources.colour',
      `view ${alice}.customers_scores`,
      `view ${alice}.customers_scores_history`,
      `view ${alice}.hers`,
      'view pgscore_sources.peek',
    ].toSorted(),
  );
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
