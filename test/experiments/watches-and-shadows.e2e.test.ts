import { describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { oneIn } from '../support/night.ts';
import { endOfRun, scoreTable } from '../support/run.ts';
import { ENDLESS, SLOW_X, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { atRest } from '../watches/watching.ts';
import { ROWS, visitsFixture } from './visits-fixture.ts';

const visits = await visitsFixture();
const { ada, alice, superuser } = visits;

async function watched(target: string): Promise<unknown[]> {
  await atRest(alice, `alice.${target}`);
  return visits.byVersion(target);
}

test('a watch gives each row to its arm, moves rows when arms grow, and back when the experiment stops', async () => {
  await visits.deployPair('watched');
  await alice.query(`select pgscore.watch('watched', 'visits', target => 'live')`);
  expect(await watched('live')).toMatchObject([{ model_version: 'watched@1', rows: ROWS, wrong: 0 }]);
  await visits.start('watched', 30);
  const arms = async (): Promise<void> => {
    const challenged = await visits.shareOf('watched');
    const split = async (): Promise<boolean> => {
      expect(await watched('live')).toMatchObject([
        { model_version: 'watched@1', rows: ROWS - challenged, wrong: 0 },
        { model_version: 'watched@2', rows: challenged, wrong: 0 },
      ]);
      return true;
    };
    await waitFor(split, { timeout: 30_000, message: 'the rows to be in their arms' });
  };
  await arms();
  await alice.query(
    `update visits set x = x + 1 where id <= 100; update visits set customer = customer || '!' where id between 101 and 150`,
  );
  await arms();
  await ada.query(`select pgscore.set_arms('watched', '{"watched@2": 55}')`);
  await arms();
  await ada.query(`select pgscore.stop_experiment('watched')`);
  const back = async (): Promise<boolean> => {
    expect(await watched('live')).toMatchObject([{ model_version: 'watched@1', rows: ROWS, wrong: 0 }]);
    return true;
  };
  await waitFor(back, { timeout: 30_000, message: 'the champion to have all rows again' });
});

test('a shadow scores a share of the rows of runs and watches, for the history alone', async () => {
  await visits.deployPair('shaded');
  await ada.query(
    `select pgscore.start_experiment('shaded', kind => 'shadow', arms => '{"shaded@2": 100}', sampling => 0.3)`,
  );
  const run = await scoreTable(alice, 'shaded', 'visits', { target: 'shaded' });
  expect(run).toMatchObject({ state: 'done', rows_done: String(ROWS), published: true });
  const { rows } = await alice.query<{ run: string }>('select run from pgscore.runs where arm_of = $1', [run.run]);
  const shadow = await endOfRun(alice, rows[0]?.run ?? '');
  expect(shadow).toMatchObject({ model: 'shaded@2', state: 'done', published: false });
  expect(Math.abs(Number(shadow.rows_done) - 0.3 * ROWS)).toBeLessThan(0.06 * ROWS);
  expect(await visits.byVersion('shaded')).toMatchObject([{ model_version: 'shaded@1', rows: ROWS }]);
  const history = await alice.query(
    `select h.model_version, count(*)::int as rows, count(*) filter (where h.score <> s.x + case when h.model_version = 'shaded@2' then 10 * s.b else 0 end)::int as wrong,
            count(*) filter (where pgscore.bucket(e.salt, h.id::text) >= 3000)::int as beyond
       from shaded_history h join visits s using (id) join pgscore.experiments e on e.model = 'shaded' group by 1 order by 1`,
  );
  expect(history.rows).toMatchObject([
    { rows: ROWS, wrong: 0 },
    { rows: Number(shadow.rows_done), wrong: 0, beyond: 0 },
  ]);

  await alice.query(`select pgscore.watch('shaded', 'visits', target => 'shadily', keep_history => '1 day')`);
  expect(await watched('shadily')).toMatchObject([{ model_version: 'shaded@1', rows: ROWS }]);
  const shadowed = async (): Promise<boolean> => {
    const beside = `select from shadily_history where model_version = 'shaded@2'`;
    expect((await alice.query(beside)).rowCount).toBe(Number(shadow.rows_done));
    return true;
  };
  await waitFor(shadowed, { timeout: 20_000, message: 'the shadow of the watch' });
});

const FAILING = [
  ['cannot be loaded', Buffer.from('no model'), 'model_load_failed'],
  ['hangs', slowModel(ENDLESS), 'scorer_lost'],
] as const;

test.each(oneIn(2, FAILING))(
  'a shadow that %s changes nothing for the run that it stands beside',
  async (_, bytes, code) => {
    const model = `dark_${code}`;
    await deployBytes(ada, model, weightedModel({ x: 'float32' }));
    await visits.putModel(await deployBytes(ada, model, weightedModel({ x: 'float32' })), bytes);
    await ada.query(
      `select pgscore.start_experiment($1, kind => 'shadow', arms => jsonb_build_object($1 || '@2', 100))`,
      [model],
    );
    await alice.query(
      `create table if not exists night as select i as id, $1::real as x from generate_series(1, 10) i`,
      [SLOW_X],
    );
    const run = await scoreTable(alice, model, 'night', { key: 'id', target: model });
    expect(run).toMatchObject({ state: 'done', rows_done: '10', attempt: 1 });
    const { rows } = await alice.query<{ run: string }>('select run from pgscore.runs where arm_of = $1', [run.run]);
    expect(await endOfRun(alice, rows[0]?.run ?? '')).toMatchObject({ state: 'failed', error_code: code });
  },
);

describe('results of a split', () => {
  type Row = { customer: string; round: number; isArm: boolean; error: number };
  type Metric = 'mae' | 'mse';
  type Side = { rows: Row[]; mean: number };

  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const losses = {
    mae: ({ error }: Row) => Math.abs(error),
    mse: ({ error }: Row) => error ** 2,
  };

  /** The probability of a normal deviate beyond z, to both sides: the series of the error function. */
  function normal(z: number): number {
    let [term, total] = [z / Math.SQRT2, z / Math.SQRT2];
    for (let n = 1; n < 200; n += 1) {
      term *= -(z * z) / 2 / n;
      total += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * total;
  }

  /** The difference of the arm to the champion: round by round, errors clustered by customer. */
  function contrast(rows: readonly Row[], metric: Metric) {
    const loss = losses[metric];
    const sideOf = (round: number, isArm: boolean): Side => {
      const of = rows.filter((row) => row.round === round && row.isArm === isArm);
      return { rows: of, mean: sum(of.map(loss)) / of.length };
    };
    const rounds = [1, 2].map((round) => {
      const [arm, champion] = [sideOf(round, true), sideOf(round, false)];
      const [n, m] = [arm.rows.length, champion.rows.length];
      return { arm, champion, weight: (n * m) / (n + m) };
    });
    const total = sum(rounds.map(({ weight }) => weight));
    const added = new Map<string, number>();
    let [difference, spread] = [0, 0];
    for (const { arm, champion, weight } of rounds) {
      difference += (weight / total) * (arm.mean - champion.mean);
      for (const { rows: of, mean } of [arm, champion]) {
        for (const row of of) {
          const missed = (((weight / total) * (loss(row) - mean)) / of.length) * (row.isArm ? 1 : -1);
          added.set(row.customer, (added.get(row.customer) ?? 0) + missed);
          spread += (loss(row) - mean) ** 2;
        }
      }
    }
    const groups = added.size;
    const squared = (sum([...added.values()].map((one) => one ** 2)) * groups) / (groups - 1);
    return { difference, deviation: Math.sqrt(squared), spread: spread / rows.length };
  }

  /** Pearson's test of how many customers came first to each side, round by round, each of which has a degree of freedom. */
  function sampleRatio(rows: readonly Row[], shares: readonly number[]): number {
    const first = new Map<string, Row>();
    for (const row of rows) if (!first.has(row.customer)) first.set(row.customer, row);
    const statistic = sum(
      shares.map((share, index) => {
        const came = [...first.values()].filter(({ round }) => round === index + 1);
        const n = came.filter(({ isArm }) => isArm).length;
        const expected = came.length * share;
        return (n - expected) ** 2 / expected + (n - expected) ** 2 / (came.length - expected);
      }),
    );
    return Math.exp(-statistic / 2);
  }

  /** Visits of a day, by customers from one number to another; each comes twice. */
  async function come(round: number, from: number, to: number): Promise<void> {
    await alice.query(
      `insert into stays
       select 'c' || c, $1::int * 10000 + 2 * c + k, (hashint4(c * 7 + k) % 100)::real / 10, (abs(hashint4(c + k * 31 + $1)) % 100)::real / 3000,
              date_trunc('day', now(), 'UTC') - make_interval(days => 4 - $1::int) + interval '12 hours'
         from generate_series($2::int, $3::int) c, generate_series(0, 1) k`,
      [round, from, to],
    );
  }

  test('a canary over a table comes to what its raw rows say, when labels arrive: both arms, over a ramp, and no day without labels', async () => {
    await visits.deployPair('stay');
    await alice.query(`create table stays (customer text, id int, x real, b real, at timestamptz, primary key (customer, id));
      create table today (like stays including all);
      create table outcomes (customer text, id int, truth real, known_at timestamptz, primary key (customer, id))`);
    await alice.query(
      `select pgscore.set_labels('stay', 'outcomes', label => 'truth', key => array['customer', 'id'], known_at => 'known_at')`,
    );
    await visits.start('stay', 20);
    await superuser.query(
      `with old as (update pgscore_data.experiment set started_at = started_at - interval '10 days' returning experiment_id)
       update pgscore_data.experiment_stage s set since = since - interval '10 days' from old where old.experiment_id = s.experiment_id`,
    );
    const options = { event_time: 'at', target: 'stay_scores' };
    for (const [round, from, to] of [
      [1, 1, 700],
      [2, 300, 1500],
      [3, 1501, 1600],
    ] as const) {
      if (round === 2) await ada.query(`select pgscore.set_arms('stay', '{"stay@2": 50}')`);
      await come(round, from, to);
      // A run that scores earlier rows again would replace what was said of them before their labels came.
      await alice.query('truncate today');
      await alice.query('insert into today select * from stays where id / 10000 = $1', [round]);
      expect(await scoreTable(alice, 'stay', 'today', options)).toMatchObject({ state: 'done', rows_failed: '0' });
    }
    await alice.query(
      `insert into outcomes select customer, id, x + (abs(hashint4(id)) % 60)::real / 20 - 1.4, at + interval '1 hour' from stays where id < 30000`,
    );
    const { rows } = await alice.query<Row>(
      `select s.customer, s.id / 10000 as round, p.model_version = 'stay@2' as "isArm", p.score - o.truth::text::float8 as error
         from stays s join outcomes o using (customer, id) join stay_scores_history p using (customer, id)
        order by s.id`,
    );
    expect(rows.length).toBe(2 * (700 + 1201));
    const ofArm = rows.filter(({ isArm }) => isArm);
    const shown = async (): Promise<Record<string, Record<string, number & string>>> => {
      await superuser.query('select pgscore.refresh()');
      const found = await superuser.query(
        `select *, n::int, entities::int, model_version::int, ((now() at time zone 'UTC')::date - last_date) as age
           from pgscore_bi.experiment_results where model_name = 'stay'`,
      );
      return Object.fromEntries(found.rows.map((row) => [`${row.model_version} ${row.metric}`, row]));
    };
    const judged = async (): Promise<boolean> => {
      expect((await shown())['2 mae']).toMatchObject({ n: ofArm.length, age: 2 });
      return true;
    };
    await waitFor(judged, { timeout: 30_000, message: 'the experiment to be judged' });
    const found = await shown();
    const customers = (of: readonly Row[]): number => new Set(of.map(({ customer }) => customer)).size;
    for (const metric of ['mae', 'mse'] as const) {
      const [arm, champion] = [found[`2 ${metric}`], found[`1 ${metric}`]];
      for (const [side, of] of [
        [arm, ofArm],
        [champion, rows.filter(({ isArm }) => !isArm)],
      ] as const) {
        expect(side).toMatchObject({
          n: of.length,
          entities: customers(of),
          age: 2,
          label_coverage: expect.any(Number),
        });
        expect(side?.['value']).toBeCloseTo(sum(of.map(losses[metric])) / of.length, 9);
        expect(side?.['value']).toBeGreaterThan(side?.['value_low'] ?? NaN);
        expect(side?.['value']).toBeLessThan(side?.['value_high'] ?? NaN);
      }
      const { difference, deviation, spread } = contrast(rows, metric);
      const effective = (4 * spread) / deviation ** 2;
      const rho = effective * 0.007936154601737565;
      const margin = deviation * Math.sqrt(2 * (1 + 1 / rho) * Math.log(Math.sqrt(1 + rho) * 20));
      expect(arm?.['difference']).toBeCloseTo(difference, 9);
      expect(arm?.['difference_low']).toBeCloseTo(difference - 1.959963984540054 * deviation, 9);
      expect(arm?.['difference_high']).toBeCloseTo(difference + 1.959963984540054 * deviation, 9);
      expect(arm?.['p_value']).toBeCloseTo(normal(Math.abs(difference / deviation)), 6);
      expect(arm?.['always_valid_low']).toBeLessThanOrEqual(difference - margin + 1e-9);
      expect(arm?.['always_valid_low']).toBeGreaterThan(difference - 1.3 * margin);
      expect(arm?.['srm_p_value']).toBeCloseTo(sampleRatio(rows, [0.2, 0.5]), 9);
      expect(arm?.['verdict']).toBe(Number(arm?.['always_valid_low']) > 0 ? 'worse' : 'no_difference');
    }
  });
});
