import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { cloneDatabase } from '../support/database.ts';
import { looks, type Look } from './simulated-arms.ts';

const superuser = await (await cloneDatabase()).client();

/** In how many experiments some look at some metric named a winner, by the verdict and by the interval for one look. */
async function named(all: readonly Look[]): Promise<{ verdict: number; once: number }> {
  const { rows } = await superuser.query<{ verdict: number; once: number }>(
    `select count(distinct x.experiment) filter (where v.verdict in ('better', 'worse'))::int as verdict,
            count(distinct x.experiment) filter (where x.entities >= 100 and x.other_entities >= 100
              and abs(x.difference) > 1.959963984540054 * x.standard_error)::int as once
       from jsonb_to_recordset($1::jsonb) x (experiment int, metric text, entities bigint, other_entities bigint, difference float8,
                                             standard_error float8, n_effective float8)
      cross join lateral (select pgscore_data._always_valid_width(x.n_effective) * x.standard_error as margin offset 0) m
      cross join lateral pgscore_data._experiment_verdict(x.metric, x.entities, x.other_entities, x.difference - m.margin,
                                                          x.difference + m.margin, null, true) v`,
    [JSON.stringify(all)],
  );
  return rows[0] ?? { verdict: NaN, once: NaN };
}

test('of a thousand experiments with arms that are alike, looked at daily by every metric, one in twenty has a winner at most', async () => {
  const found = await named(looks(seeded(20), 1000));
  expect(found.once).toBeGreaterThan(200);
  // The bound of a binomial: 5 % and 1.645 standard errors.
  expect(found.verdict).toBeLessThanOrEqual(1000 * (0.05 + 1.645 * Math.sqrt((0.05 * 0.95) / 1000)));
});

test.each([false, true])(
  'their intervals for one look hold 95 %%, also of entities that are judged again and again: %s',
  (again) => {
    const last = new Map(looks(seeded(22), 1000, { again }).map((look) => [`${look.experiment} ${look.metric}`, look]));
    for (const metric of ['accuracy', 'brier_score', 'log_loss']) {
      const judged = [...last.values()].filter((look) => look.metric === metric && look.standard_error !== null);
      const missed = judged.filter(
        ({ difference, standard_error: error }) => Math.abs(difference) > 1.959963984540054 * (error ?? 0),
      );
      expect(judged.length).toBeGreaterThan(900);
      expect(missed.length).toBeLessThanOrEqual(
        judged.length * (0.05 + 1.645 * Math.sqrt((0.05 * 0.95) / judged.length)),
      );
    }
  },
);

test('nor where each entity is judged again and again, and outcomes of an entity are alike', async () => {
  const found = await named(looks(seeded(21), 1000, { again: true }));
  expect(found.once).toBeGreaterThan(100);
  expect(found.verdict).toBeLessThanOrEqual(1000 * (0.05 + 1.645 * Math.sqrt((0.05 * 0.95) / 1000)));
});
