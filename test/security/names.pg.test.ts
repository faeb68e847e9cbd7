import { expect, test } from '@jest/globals';
import { ident } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await addReadyModel(superuser, 'churn');
const alice = await database.client('alice');
await alice.query('create table canary (id int)');

const NAMES = [
  'x"; drop table canary; --',
  "x'); drop table canary; --",
  "it''s",
  'back\\slash',
  'dollar $$ $body$ quote',
  '%s %I %L %',
  'new\nline',
  'select',
  'Ünïcödé 表',
  `${'n'.repeat(47)}`,
  '__proto__',
];

test.each(NAMES)('a source, its key, a schema and a target may be named %j', async (name) => {
  const source = ident(name);
  const target = `${name.slice(0, 40)}_out`;
  const create = `create table ${source} (${source} int primary key, x real)`;
  const read = `select * from ${ident(target)}, ${ident(`${target}_history`)}`;
  await alice.query(create);
  const score = "select pgscore.score_table('churn', $1::regclass, target => $2)::int as run";
  const submitted = await alice.query(score, [source, target]);
  const { rows } = await alice.query('select source, target from pgscore.runs where run = $1', [
    submitted.rows[0]?.run,
  ]);
  expect(rows).toEqual([{ source: `alice.${name}`, target: `alice.${target}` }]);
  await alice.query(read);
  await alice.query("select pgscore.schedule($1, '@daily', 'churn', $2::regclass)", [name, source]);
  await alice.query('select pgscore.run_schedule($1)', [name]);
  await alice.query('select pgscore.unschedule($1)', [name]);
  await alice.query("select pgscore.cancel_run(run) from pgscore.runs where state = 'queued'");
  await alice.query('select pgscore.drop_target($1)', [ident(target)]);
  await alice.query('select from canary');
});

test('names that PostgreSQL would cut are refused, not cut', async () => {
  await alice.query('create table customers (id int primary key, x real)');
  const name = 'n'.repeat(56);
  const refused = await refusal(alice, "select pgscore.score_table('churn', 'customers', target => $1)", [name]);
  expect(refused).toMatchObject({ code: '42622' });
});

test.each(['x"; drop table canary; --', "it's", '1st', 'a b', '', 'n'.repeat(51), 'a@b'])(
  'a model cannot be named %j',
  async (name) => {
    const ada = await database.client('ada');
    const refused = await refusal(ada, 'select pgscore.deploy($1, $2)', [name, Buffer.from('x')]);
    expect(refused).toMatchObject({ code: '42602' });
  },
);
