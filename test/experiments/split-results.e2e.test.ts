import { expect, test } from '@jest/globals';

import { scoreTable } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';
import { visitsFixture } from './visits-fixture.ts';

const visits = await visitsFixture();
const { ada, alice, superuser } = visits;

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
      expect(side).toMatchObject({ n: of.length, entities: customers(of), age: 2, label_coverage: expect.any(Number) });
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
