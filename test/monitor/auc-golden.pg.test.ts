import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { addMonitoredModel, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

type Scored = { positives: number[]; negatives: number[] };

/** Doubles that crowd where models crowd: near 0, near 1, and in a few places where they tie. */
const score = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: -9, max: 0, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.double({ min: -9, max: 0, noNaN: true }).map((exponent) => 1 - 10 ** exponent),
  fc.constantFrom(0, 0.01, 0.5, 0.5005, 0.99, 1),
);
const balanced = fc.record({
  positives: fc.array(score, { minLength: 1, maxLength: 60 }),
  negatives: fc.array(score, { minLength: 1, maxLength: 60 }),
});
/** One positive in a thousand, the scores of all within a decade or two, as a model of a rare event has them. */
const rare = fc
  .tuple(fc.array(fc.nat(999), { minLength: 1, maxLength: 3 }), fc.double({ min: -6, max: -1, noNaN: true }), fc.nat())
  .map(([ranks, decade, seed]) => ({
    positives: ranks.map((rank) => 10 ** (decade + ((rank * 7919 + seed) % 1000) / 900)),
    negatives: Array.from({ length: ranks.length * 1000 }, (_, n) => 10 ** (decade + ((n * 7907) % 9973) / 9973)),
  }));

function exactAuc({ positives, negatives }: Scored): number {
  const beaten = positives.reduce(
    (sum, p) => sum + negatives.reduce((won, n) => won + (p > n ? 1 : p === n ? 0.5 : 0), 0),
    0,
  );
  return beaten / positives.length / negatives.length;
}

function exactAveragePrecision({ positives, negatives }: Scored): number {
  const found = positives.map((p) => {
    const above = positives.filter((other) => other >= p).length;
    return above / (above + negatives.filter((n) => n >= p).length);
  });
  return found.reduce((sum, precision) => sum + precision, 0) / positives.length;
}

/** The greatest distance of the two distributions, over every score that occurs. */
function exactKs({ positives, negatives }: Scored): number {
  const upTo = (scores: readonly number[], score: number) => scores.filter((s) => s <= score).length / scores.length;
  return Math.max(...[...positives, ...negatives].map((s) => Math.abs(upTo(positives, s) - upTo(negatives, s))));
}

let days = 0;

/** The ranking metrics of one more day of a model whose cells these scores are. */
async function binned(
  { versionId }: MonitoredModel,
  { positives, negatives }: Scored,
): Promise<Record<string, number>> {
  days += 1;
  const cells = `insert into pgscore_data.score_log (version_id, day, positive, bins, counts, sums)
    select $1, timestamptz '2020-01-06 00:00+00' + $2 * interval '31 days', c.positive, array_agg(c.bin), array_agg(c.n), array_agg(c.sum_score)
      from (select s.positive, pgscore_data._score_bin(s.score, b.mirrored) as bin, count(*) as n, sum(s.score::numeric) as sum_score
              from (select true, unnest($3::float8[]) union all select false, unnest($4::float8[])) s (positive, score) cross join pgscore_data.score_bins b
             group by 1, 2) c
     group by c.positive`;
  await superuser.query(cells, [versionId, days, positives, negatives]);
  await superuser.query(
    `insert into pgscore_data.touched (version_id, day) values ($1, timestamptz '2020-01-06 00:00+00' + $2 * interval '31 days')`,
    [versionId, days],
  );
  await superuser.query('select pgscore_data._compute_metrics()');
  const { rows } = await superuser.query<{ values: Record<string, number> }>(
    `select jsonb_object_agg(metric, value) || jsonb_object_agg(metric || '_low', ci_low) || jsonb_object_agg(metric || '_high', ci_high) || jsonb_object_agg(metric || '_bound', error_bound) as values
       from pgscore_data.metric_value where version_id = $1 and grain = 'day' and window_start = timestamptz '2020-01-06 00:00+00' + $2 * interval '31 days'`,
    [versionId, days],
  );
  return rows[0]?.values ?? {};
}

test.each([
  { what: 'scores that tie and crowd', scores: balanced, numRuns: howMany(12, 60) },
  { what: 'one positive in a thousand', scores: rare, numRuns: howMany(5, 25) },
])(
  'AUC and KS of bins are off by no more than their bounds, and average precision lies within its own: $what',
  async ({ what, scores, numRuns }) => {
    const model = await addMonitoredModel(superuser, what.replaceAll(' ', '_'), 'binary');
    await fc.assert(
      fc.asyncProperty(scores, async (scored) => {
        const found = await binned(model, scored);
        const [auc, precision] = [exactAuc(scored), exactAveragePrecision(scored)];
        expect(Math.abs(found['roc_auc']! - auc)).toBeLessThanOrEqual(found['roc_auc_bound']! + 1e-12);
        expect(found['average_precision_low']!).toBeLessThanOrEqual(precision + 1e-12);
        expect(found['average_precision_high']!).toBeGreaterThanOrEqual(precision - 1e-12);
        expect(found['average_precision_low']!).toBeLessThanOrEqual(found['average_precision']! + 1e-12);
        const ks = exactKs(scored);
        expect(found['ks_of_scores']!).toBeLessThanOrEqual(ks + 1e-12);
        expect(found['ks_of_scores']! + found['ks_of_scores_bound']!).toBeGreaterThanOrEqual(ks - 1e-12);
      }),
      { numRuns, seed: 20260308, endOnFailure: true },
    );
  },
  120_000,
);

test('the bins keep the bound small where positives are rare: below 0.02 at one in a thousand', async () => {
  const model = await addMonitoredModel(superuser, 'rare', 'binary');
  const scored = fc.sample(rare, { numRuns: 5, seed: 20260308 });
  for (const one of scored) expect((await binned(model, one))['roc_auc_bound']).toBeLessThan(0.02);
});

test('KS of bins that hold scores of one class each is exact, and says so', async () => {
  const model = await addMonitoredModel(superuser, 'apart', 'binary');
  const found = await binned(model, { positives: [0.2, 0.6, 0.7], negatives: [0.1, 0.3, 0.4, 0.8] });
  expect(found).toMatchObject({ ks_of_scores: expect.closeTo(5 / 12, 12), ks_of_scores_bound: 0 });
});

test('a bin of many positives and few negatives leaves average precision a narrow interval', async () => {
  const model = await addMonitoredModel(superuser, 'crowded', 'binary');
  const found = await binned(model, { positives: Array<number>(100).fill(1), negatives: Array<number>(5).fill(1) });
  expect(found['average_precision_low']).toBeCloseTo(0.8477, 3);
});
