import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { migrationFiles } from '../../src/install/migrations.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const [migration] = (await migrationFiles()).filter(({ name }) => name === '0038_no_kept_champions');

/** As they were: a champion that calls the function of its version, that, and one of texts. */
beforeAll(async () => {
  await superuser.query(`create type mood as enum ('red'); create domain tone as mood; create domain shade as tone;
    create table points (a real, tone text); create table moods (a real, tone mood); create table shades (a real, tone shade);
    insert into pgscore_data.model (name, created_by) values ('sum', 'ada'), ('sum_v1', 'ada')`);
  for (const table of ['points', 'moods', 'shades']) {
    const create = `create function pgscore_models.sum_v1(${table}) returns float8 language plpgsql immutable as 'begin return $1.a; /* pgscore_models._v1($1.a, $1.tone) */ end';
      create function pgscore_models.sum(${table}) returns float8 language sql immutable as 'select pgscore_models.sum_v1($1)'`;
    await superuser.query(create);
  }
});

afterEach(async () => {
  await superuser.query('drop index if exists kept; drop table if exists generated');
});

test.each([
  ['an index by the champion', 'create index kept on points (pgscore_models.sum(points))', 'index kept'],
  ['a condition by the champion', 'create index kept on points (a) where pgscore_models.sum(points) > 1', 'index kept'],
  [
    'a column by the champion',
    `create table generated (a real, s float8 generated always as (pgscore_models.sum(row(a, 'x')::points)) stored)`,
    'column s of generated',
  ],
  [
    'a partition key by the champion',
    `create table generated (a real) partition by range ((pgscore_models.sum(row(a, 'x')::points)))`,
    'partition key of generated',
  ],
  ['an index by an enum', 'create index kept on moods (pgscore_models.sum_v1(moods))', 'index kept'],
  ['an index by a domain of an enum', 'create index kept on shades (pgscore_models.sum_v1(shades))', 'index kept'],
])('%s keeps a database from the upgrade that would have it be wrong, and is named', async (_, create, named) => {
  await superuser.query(create);
  expect(await refusal(superuser, migration?.text ?? '')).toMatchObject({
    code: '2BP01',
    message: expect.stringMatching(new RegExp(`: ${named}$`)),
    hint: expect.stringContaining('make it anew by the function of a version'),
  });
});

test('an index by the function of a version does not, also where a model is called as that', async () => {
  await superuser.query('create index kept on points (pgscore_models.sum_v1(points))');
  await superuser.query(migration?.text ?? '');
});
