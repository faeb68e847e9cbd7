import { beforeAll, describe, expect, test } from '@jest/globals';

import { bucket } from '../../src/lib/bucket.ts';
import { oneIn } from '../support/night.ts';
import { refusal } from '../support/refusal.ts';
import { waitFor } from '../support/wait-for.ts';
import { armsFixture, ROWS } from './arms-fixture.ts';

const { superuser, ada, alice, start, stop, saltOf, answers } = await armsFixture();

/** How many rows the arm has, each of which says what its version does, and all others what the champion does. */
function armed(said: Map<number, unknown>, salt: string, limit: number, arm: unknown, champion: unknown): number {
  let count = 0;
  for (const [id, answer] of said) {
    const isOfArm = bucket(salt, id) < limit;
    expect([id, answer]).toEqual([id, isOfArm ? arm : champion]);
    if (isOfArm) count += 1;
  }
  return count;
}

const ALL = `array(select t from loose t)`;
const FORMS: readonly [model: string, form: string, arm: unknown, champion: unknown][] = [
  ['sum', `select id, score('sum', t) as answer from loose t`, 12, 21],
  ['sum', `select id, score('sum', t) as answer from bound t`, 12, 21],
  ['sum', `select id, pgscore_models.sum(t) as answer from bound t`, 12, 21],
  ['sum', `select id, score('sum', t) as answer from (select id, a, b from loose) t`, 12, 21],
  ['sum', `select id, score('sum', to_jsonb(t)) as answer from loose t`, 12, 21],
  ['sum', `select id, score('sum', to_json(t)::text) as answer from loose t`, 12, 21],
  ['sum', `select id, score_or_null('sum', t) as answer from loose t`, 12, 21],
  ['sum', `select id, pgscore.why_not('sum', t) as answer from loose t`, null, null],
  ['sum', `select id, (pgscore.predict('sum', t) ->> 'version') as answer from loose t`, 'sum@2', 'sum@1'],
  ['sum', `select id, (pgscore.predict('sum', t) ->> 'version') as answer from bound t`, 'sum@2', 'sum@1'],
  [
    'sum',
    `select (s.features).id, s.score || s.version as answer from pgscore.score_rows('sum', ${ALL}) s`,
    '12sum@2',
    '21sum@1',
  ],
  ['erf', `select id, round(score('erf', t)::numeric, 3)::float8 as answer from loose t`, 1.685, 0.843],
  ['erf', `select id, round(pgscore_models.erf(t)::numeric, 3)::float8 as answer from bound t`, 1.685, 0.843],
  ['erf', `select id, round(score('erf', t)::numeric, 3)::float8 as answer from bound t`, 1.685, 0.843],
  ['erf', `select id, round(score('erf', to_jsonb(t))::numeric, 3)::float8 as answer from loose t`, 1.685, 0.843],
  ['erf', `select (s.features).id, s.version as answer from pgscore.score_rows('erf', ${ALL}) s`, 'erf@2', 'erf@1'],
  ['kind', `select id, pgscore.classify('kind', t) as answer from loose t`, 'large', 'middle'],
  ['kind', `select id, pgscore_models.kind(t) as answer from bound t`, 'large', 'middle'],
  [
    'kind',
    `select id, round(score('kind', t, class => 'large')::numeric, 2)::float8 as answer from loose t`,
    0.72,
    0.21,
  ],
  ['vector', `select id, pgscore.embed('vector', t) as answer from loose t`, [-9, -12, -15], [9, 12, 15]],
  ['vector', `select id, pgscore_models.vector(t) as answer from bound t`, [-9, -12, -15], [9, 12, 15]],
];

/** What answers of a bound table are computed by. */
async function boundForm(): Promise<unknown> {
  const { rows } = await alice.query(
    `select p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as form from pg_proc p
      where p.oid = 'pgscore_models.sum(bound)'::regprocedure`,
  );
  return rows[0];
}

const withoutExperiment = await boundForm();

describe('a row goes to the arm of its key', () => {
  beforeAll(async () => {
    for (const model of ['sum', 'erf', 'kind', 'vector']) await start(model, { [`${model}@2`]: 30 });
  });

  for (const [execution, forms] of [
    ['auto', FORMS],
    ['online', oneIn(3, FORMS)],
  ] as const) {
    test.each(forms)(`of %s: %s, with execution ${execution}`, async (model, form, arm, champion) => {
      await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
      const count = armed(await answers(form), await saltOf(model), 3000, arm, champion);
      expect(count).toBeGreaterThan(ROWS * 0.15);
      expect(count).toBeLessThan(ROWS * 0.45);
      await alice.query('reset pgscore.execution');
    });
  }

  test('and to that of pgscore.arm()', async () => {
    const { rows } = await alice.query(
      `select count(*)::int as wrong from loose t where pgscore.arm('sum', id) <> pgscore.predict('sum', t) ->> 'version'`,
    );
    expect(rows).toEqual([{ wrong: 0 }]);
  });

  test('of two models in one query each splits by its own', async () => {
    const { rows } = await alice.query<{ id: string; sum: number; erf: number }>(
      `select id, score('sum', t) as sum, score('erf', t) as erf from bound t`,
    );
    const [sum, erf] = [await saltOf('sum'), await saltOf('erf')];
    const wrong = rows.filter(
      (row) => (row.sum === 12) !== bucket(sum, row.id) < 3000 || row.erf > 1 !== bucket(erf, row.id) < 3000,
    );
    expect(wrong).toEqual([]);
  });

  test('a version is never split, and the champion is by its alias, too', async () => {
    for (const [name, answer] of [
      ['sum@1', 21],
      ['sum@2', 12],
    ]) {
      for (const table of ['loose', 'bound']) {
        const text = `select distinct score($1, t) as answer from ${alice.escapeIdentifier(table)} t`;
        expect((await alice.query(text, [name])).rows).toEqual([{ answer }]);
        const differing = `select id from ${alice.escapeIdentifier(table)} t where score('sum', t) <> score('sum@champion', t)`;
        expect((await alice.query(differing)).rows).toEqual([]);
      }
    }
    expect(
      (
        await alice.query(
          `select pgscore.arm('sum', id) = pgscore.arm('sum@champion', id) as same from bound group by 1`,
        )
      ).rows,
    ).toEqual([{ same: true }]);
  });

  test('a row without the key goes to the champion', async () => {
    for (const row of ['(select 1 as a, 2 as b)', '(select null::bigint as id, 1 as a, 2 as b)']) {
      const text = `select score('sum', t) as answer from ${row} t`;
      expect((await alice.query(text)).rows).toEqual([{ answer: 21 }]);
    }
    const missing = `select score('sum', t) as answer from (values (0)) v (n) left join bound t on t.id = v.n`;
    expect((await alice.query(missing)).rows).toEqual([{ answer: null }]);
  });

  test('EXPLAIN shows a CASE over two versions, which workers may compute', async () => {
    const { rows } = await alice.query<{ 'QUERY PLAN': string }>(
      `explain (verbose, costs off) select score('sum', t) from bound t`,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/CASE width_bucket\(.*sha256\(/s);
    expect(plan).toContain(`'{3000}'::integer[]`);
    const volatile = await alice.query(
      `select provolatile, proparallel from pg_proc where oid = 'pgscore_models.sum(bound)'::regprocedure`,
    );
    expect(volatile.rows).toEqual([{ provolatile: 's', proparallel: 's' }]);
  });

  test('calls of the service are logged with the version that answered', async () => {
    await alice.query(`set pgscore.execution = online`);

    const { rows } = await alice.query(
      `select pgscore.predict('erf', t) ->> 'version' as version, count(*)::int as n from loose t group by 1 order by 1`,
    );
    await alice.query('reset pgscore.execution');
    await waitFor(async () => {
      const logged = await superuser.query(
        `select model || '@' || version as version from pgscore.online_predictions where model = 'erf' order by asked_at desc limit $1`,
        [ROWS],
      );
      return new Set(logged.rows.map((row: { version: string }) => row.version)).size === rows.length;
    });
  });

  test('calls without the key are counted, where calls are kept with it', async () => {
    const counted = async () =>
      (await alice.query(`select calls_without_key as n from pgscore.experiments where model = 'erf' and is_running`))
        .rows[0].n;
    const keptWithKey = `select from pgscore.online_predictions where model = 'erf' and key is not null`;
    const keptSince = `select from pgscore.online_predictions
      where model = 'erf' and asked_at >= $1 and key is distinct from '{-1}'`;
    expect(await counted()).toBeNull();
    await ada.query(`select pgscore.log_calls('erf', key => '{id}')`);
    // Calls are kept in the order in which they were made: once one has its key, all are kept that were made without.
    await waitFor(
      async () => {
        await alice.query(`select score('erf', '{"a": 1, "id": -1}'::jsonb)`);
        return (await superuser.query(keptWithKey)).rowCount !== 0;
      },
      { message: 'the gateway to keep keys' },
    );
    const before = Number(await counted());
    // The time of a call is in whole milliseconds.
    const { rows } = await superuser.query(`select (clock_timestamp() - interval '2 ms')::text as now`);
    await alice.query(`select score('erf', '{"a": 1}'::jsonb), score('erf', '{"a": 1, "id": null}'::jsonb)`);
    await alice.query(`select score('erf', t) from (select 1::real as a) t`);
    await alice.query(
      `select pgscore.score_rows('erf', array(select jsonb_build_object('a', 1, 'id', nullif(n, 3)) from generate_series(1, 5) n))`,
    );
    await alice.query(`select score('erf', t) from loose t where id <= 50`);
    await waitFor(async () => (await superuser.query(keptSince, [rows[0].now])).rowCount === 58, {
      message: 'the calls to be kept',
    });
    expect(Number(await counted()) - before).toBe(4);
  });

  test('once the experiment is stopped, nothing of it is left in what bound tables compute', async () => {
    expect(await boundForm()).not.toEqual(withoutExperiment);
    await stop('erf');
    await stop('sum');
    expect(await boundForm()).toEqual(withoutExperiment);
    expect(JSON.stringify(withoutExperiment)).not.toMatch(/sha256|width_bucket/);
    await start('sum', { 'sum@2': 30 });
  });

  test('a row that cannot be scored is named by its place among all rows of score_rows()', async () => {
    const salt = await saltOf('sum');
    const place = Array.from({ length: ROWS }, (_, n) => n + 1).findLast((id) => bucket(salt, id) < 3000) ?? 0;
    const rows = `array(select jsonb_build_object('id', id, 'b', 1, 'a', case when id <> ${place} then 1 end) from loose order by id)`;
    expect(await refusal(alice, `select pgscore.score_rows('sum', ${rows})`)).toMatchObject({
      detail: expect.stringContaining(`Row ${place} of ${ROWS}.`),
    });
  });
});
