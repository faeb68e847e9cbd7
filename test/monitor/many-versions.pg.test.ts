import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addVersion } from './monitored-model.ts';

const superuser = await (await cloneDatabase()).client();

/** A champion and 49 versions, of which those of `better` are surely better, and those of `worse` in recall surely worse. */
async function modelOf(name: string, better: readonly number[], worse: readonly number[]): Promise<void> {
  const champion = await addMonitoredModel(superuser, name, 'binary');
  await superuser.query('select pgscore_data._set_alias($1, $2)', [champion.versionId, 'champion']);
  for (let number = 2; number <= 50; number++) {
    const { versionId } = await addVersion(superuser, champion, number);
    const of = [versionId, champion.versionId];
    await superuser.query(
      `insert into pgscore_data.compared_pair (version_id, other_id, compared_at, compare_seconds, n_days, first_day, last_day, by_segment, leaves_out)
       values ($1, $2, now(), 0, 1, '2024-01-10+00', '2024-01-10+00', false, false)`,
      of,
    );
    const is = { accuracy: better.includes(number) ? 0.9 : 0.7, recall_score: worse.includes(number) ? 0.5 : 0.7 };
    for (const [metric, value] of Object.entries(is))
      await superuser.query(
        `insert into pgscore_data.compared_metric (version_id, other_id, segment_id, metric, value, other_value, low, high, n, other_n, is_enough)
         values ($1, $2, 0, $3, $4, 0.7, $4::float8 - 0.714, $4::float8 - 0.686, 1000, 1000, true)`,
        [...of, metric, value],
      );
  }
}

async function verdictOf(name: string): Promise<unknown> {
  const text = `select cause, better_version::int, left(sentence, 31) as sentence from pgscore_bi.model_verdict where model_name = $1`;
  return (await superuser.query(text, [name])).rows[0];
}

const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, n) => first + n);

test('of fifty versions few are judged to find the newest that is surely better', async () => {
  await modelOf('many', from(2, 48), [48]);
  await superuser.query(`begin; set local track_functions = 'all'`);
  const verdict = await verdictOf('many');
  const { rows } = await superuser.query<{ calls: number }>(
    `select sum(calls)::int as calls from pg_stat_xact_user_functions where schemaname = 'pgscore_data' and funcname = '_evidence'`,
  );
  await superuser.query('commit');
  expect(verdict).toEqual({
    cause: 'challenger_better',
    better_version: 47,
    sentence: 'Version 47 is surely better: ac',
  });
  // One for each version, and one for each metric of five.
  expect(rows[0]?.calls).toBeGreaterThan(49);
  expect(rows[0]?.calls).toBeLessThan(150);
});

test('a version older than five that are better, and worse by another metric, is not looked for', async () => {
  await modelOf('rejected', from(10, 15), from(11, 15));
  expect(await verdictOf('rejected')).toMatchObject({ better_version: null });
});
