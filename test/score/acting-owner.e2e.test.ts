import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await superuser.query(`grant usage on schema alice to bob; set pgscore.execution = online`);
  await bob.query('set pgscore.execution = online');
  await alice.query('set pgscore.execution = online');
});

/** For whom a request was logged. */
async function askedBy(request: string): Promise<unknown> {
  const logged = `select requested_by from pgscore.online_predictions where request_id = $1`;
  await waitFor(async () => (await superuser.query(logged, [request])).rows.length > 0);
  return (await superuser.query<{ requested_by: string }>(logged, [request])).rows[0]?.requested_by;
}

test('a trigger on a table to which a foreign key cascades asks as its owner', async () => {
  await alice.query('create table parents (id int primary key)');
  await alice.query('insert into parents values (1)');
  await alice.query(
    'create table children (id int references parents on update cascade, a real, b real, score float8)',
  );
  const keep = `create function keep_score() returns trigger language plpgsql as
    $$ begin new.score := public.score('sum', new); return new; end $$`;
  await alice.query(keep);
  await alice.query('create trigger keep before update on children for each row execute function keep_score()');
  await alice.query('insert into children values (1, 1, 2)');
  await alice.query('grant all on parents to bob');
  await bob.query(`set pgscore.request_id = 'cascaded'`);
  await bob.query('update alice.parents set id = 2');
  expect((await alice.query('select id, score from children')).rows).toEqual([{ id: 2, score: 21 }]);
  expect(await askedBy('cascaded')).toBe('alice');
});

test('a materialized view that another refreshes asks as its owner', async () => {
  await alice.query(
    `create materialized view scores as select score('sum', r) as score from (select 1 as a, 2 as b) r with no data`,
  );
  await superuser.query(`set pgscore.request_id = 'refreshed'`);
  await superuser.query('refresh materialized view alice.scores');
  expect((await alice.query('select score from scores')).rows).toEqual([{ score: 21 }]);
  expect(await askedBy('refreshed')).toBe('alice');
});
