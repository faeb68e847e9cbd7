import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';

type Day = {
  date: string;
  both: boolean;
  late: number;
  older: number[];
  newer: number[];
  truth: (number | boolean)[];
};
type Case = {
  task: 'binary' | 'regression';
  rows: number;
  /** Days of both versions are about the same entities, so that an entity has several labels. */
  sameEntities: boolean;
  days: Day[];
  golden: Record<string, Record<string, number | string>>;
};

const { cases } = JSON.parse(readFileSync(new URL('golden/comparison.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

const database = await cloneDatabase();
const superuser = await database.client();

async function makeChampion({ modelId, versionId }: MonitoredModel): Promise<void> {
  const promote = `insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)
    on conflict (model_id, alias) do update set version_id = excluded.version_id`;
  await superuser.query(promote, [modelId, versionId]);
}

/** A model with two versions, the older one champion, that scored the days of a case; some labels of one day are late. */
async function stage(
  name: string,
  { task, days, sameEntities }: Case,
): Promise<{ older: MonitoredModel; newer: MonitoredModel }> {
  const older = await addMonitoredModel(superuser, name, task);
  const newer = await addVersion(superuser, older, 2);
  await makeChampion(older);
  let unused = 1000;
  for (const { date, both, late, truth, ...scores } of days) {
    const at = `${date} 12:00+00`;
    const id = sameEntities && both ? 0 : unused;
    unused += truth.length + late;
    const predictions = (values: number[]) =>
      [...values, ...Array.from({ length: late }, () => 0.25)].map((score, index) => {
        const said = task === 'binary' ? { label: score >= 0.5 ? 'yes' : 'no' } : {};
        return { id: id + index, at, score, ...said };
      });
    await addRun(superuser, older, predictions(scores.older));
    if (both) await addRun(superuser, newer, predictions(scores.newer));
    const truths = truth.map((y) => (typeof y === 'boolean' ? (y ? 'yes' : 'no') : String(y)));
    const label = `select pgscore.record_label($1, ($2 + n - 1)::text, y, $3) from unnest($4::text[]) with ordinality as x (y, n)`;
    await superuser.query(label, [name, id, `${date} 13:00+00`, truths]);
  }
  await superuser.query('select pgscore.refresh()');
  return { older, newer };
}

async function compared(name: string): Promise<Record<string, unknown>[]> {
  const read = `select *, first_date::text, last_date::text, n_a::int, n_b::int, n_days::int from pgscore_bi.version_comparison where model_name = $1 order by compared_with, metric`;
  return (await superuser.query<Record<string, unknown>>(read, [name])).rows;
}

test.each(cases.map((one, index) => ({ ...one, name: `compared_${index}` })))(
  'two versions of a $task with $rows rows a day differ as scikit-learn has it, over the labels that judge both',
  async (one) => {
    await stage(one.name, one);
    const rows = await compared(one.name);
    const metrics = Object.keys(one.golden).toSorted();
    expect(rows.map((row) => [row['compared_with'], row['metric']])).toEqual(
      ['champion', 'predecessor'].flatMap((other) => metrics.map((metric) => [other, metric])),
    );
    for (const row of rows) {
      expect(row).toMatchObject({ model_version: '2', other_version: '1', n_days: 3 });
      expect(row).toMatchObject({ first_date: '2026-03-02', last_date: '2026-03-05' });
      for (const [name, value] of Object.entries(one.golden[String(row['metric'])] ?? {})) {
        const shown = row[name];
        const same = typeof value === 'string' ? shown === value : Math.abs(Number(shown) - value) < 1e-12;
        expect([row['metric'], name, shown, same]).toEqual([row['metric'], name, shown, true]);
      }
    }
  },
);

test('with another champion the versions are compared with that one, and whoever was better is worse', async () => {
  const [binary] = cases;
  if (binary === undefined) throw new Error('there is no case');
  const { newer } = await stage('promoted', binary);
  await makeChampion(newer);
  await superuser.query('select pgscore.refresh()');
  const verdicts = (await compared('promoted')).map((row) =>
    [row['model_version'], row['compared_with'], row['metric'], row['verdict']].join(' '),
  );
  expect(verdicts).toContain('1 champion accuracy worse');
  expect(verdicts).toContain('2 predecessor accuracy better');
  expect(verdicts.filter((verdict) => verdict.startsWith('2 champion'))).toEqual([]);
});

test('versions with other rhythms are compared over the labels that judge both, whatever days these are in', async () => {
  const champion = await addMonitoredModel(superuser, 'rhythms', 'binary');
  const challenger = await addVersion(superuser, champion, 2);
  await makeChampion(champion);
  const night = (date: string, entities: number, said: 'yes' | 'no') =>
    Array.from({ length: entities }, (_, n) => ({ id: n + 1, at: `${date} 00:00+00`, score: 0.5, label: said }));
  for (const [date, said] of [
    ['2026-03-01', 'no'],
    ['2026-03-02', 'no'],
    ['2026-03-03', 'yes'],
  ] as const) {
    await addRun(superuser, champion, night(date, 50, said));
  }
  await addRun(superuser, challenger, night('2026-03-01', 40, 'yes'));
  const label = `select pgscore.record_label('rhythms', n::text, y, $1) from unnest($2::int[], $3::text[]) x (n, y)`;
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
  // Entities 1 and 2 have a label that judges night 1 of the champion only; the challenger's is judged by the later one.
  await superuser.query(label, ['2026-03-01 12:00+00', [1, 2], ['yes', 'yes']]);
  // Entities 36 to 40 have no label, and 41 to 50 are not the challenger's.
  const judged = [...numbers(1, 35), ...numbers(41, 50)];
  const truths = judged.map((id) => (id <= 5 ? 'no' : 'yes'));
  await superuser.query(label, ['2026-03-03 12:00+00', judged, truths]);
  await superuser.query('select pgscore.refresh()');
  const same = {
    n_a: 35,
    n_b: 35,
    value_a: 30 / 35,
    value_b: 30 / 35,
    verdict: 'no_difference',
    undefined_reason: null,
  };
  expect((await compared('rhythms'))[0]).toMatchObject({
    ...same,
    metric: 'accuracy',
    model_version: '2',
    first_date: '2026-03-01',
    last_date: '2026-03-01',
    n_days: 1,
  });
  await makeChampion(challenger);
  await superuser.query('select pgscore.refresh()');
  const [ofChampion] = (await compared('rhythms')).filter((row) => row['model_version'] === '1');
  expect(ofChampion).toMatchObject({ ...same, first_date: '2026-03-03', last_date: '2026-03-03', n_days: 1 });
});

test('versions without a common label have a row that says so, and a late prediction changes it', async () => {
  const older = await addMonitoredModel(superuser, 'strangers', 'binary');
  const newer = await addVersion(superuser, older, 2);
  const score = (id: number, date: string) => [{ id, at: `${date} 12:00+00`, score: 0.75, label: 'yes' }];
  await addRun(superuser, older, score(1, '2026-03-02'));
  await addRun(superuser, newer, score(2, '2026-03-02'));
  const label = `select pgscore.record_label('strangers', $1, 'yes', '2026-03-05 12:00+00')`;
  for (const id of ['1', '2']) await superuser.query(label, [id]);
  await superuser.query('select pgscore.refresh()');
  const expected = { metric: 'accuracy', verdict: 'insufficient_data', value_a: null, n_days: 0, n_a: 0 };
  expect((await compared('strangers'))[0]).toMatchObject({ ...expected, undefined_reason: 'no_common_labels' });
  await addRun(superuser, newer, score(1, '2026-03-02'));
  await superuser.query('select pgscore.refresh()');
  expect((await compared('strangers'))[0]).toMatchObject({ ...expected, value_a: 1, n_days: 1, n_a: 1 });
});

test('a difference has no interval where one version has none, as all its predictions are exact', async () => {
  const older = await addMonitoredModel(superuser, 'exact', 'regression');
  const newer = await addVersion(superuser, older, 2);
  const score = (off: number) =>
    Array.from({ length: 40 }, (_, n) => ({ id: n, at: '2026-03-02 12:00+00', score: n + off * (1 + (n % 3)) }));
  await addRun(superuser, older, score(1));
  await addRun(superuser, newer, score(0));
  const label = `select pgscore.record_label('exact', n::text, n::text, '2026-03-02 13:00+00') from generate_series(0, 39) n`;
  await superuser.query(label);
  await superuser.query('select pgscore.refresh()');
  expect(await compared('exact')).toMatchObject(
    [1.975, Math.sqrt(4.575)].map((error) => ({
      value_a: 0,
      value_b: expect.closeTo(error, 12),
      difference: expect.closeTo(-error, 12),
      ci_low: null,
      ci_high: null,
      verdict: 'insufficient_data',
    })),
  );
});

test('a pair is not compared again before twenty times as long has passed as it took, by the service', async () => {
  const read = `select compared_at::text as at from pgscore_data.compared_pair p join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = 'strangers'`;
  const [before] = (await superuser.query<{ at: string }>(read)).rows;
  await superuser.query('update pgscore_data.compared_pair set compare_seconds = 3600');
  await superuser.query('update pgscore_data.calibration_check set changed_at = clock_timestamp()');
  expect((await superuser.query('select pgscore_data._compare_versions(true) as more')).rows).toEqual([
    { more: false },
  ]);
  await superuser.query(`update pgscore_data.compared_pair set compared_at = compared_at - interval '21 hours'`);
  expect((await superuser.query('select pgscore_data._compare_versions(true) as more')).rows).toEqual([{ more: true }]);
  await superuser.query('select pgscore.refresh()');
  expect((await superuser.query<{ at: string }>(read)).rows[0]?.at).not.toBe(before?.at);
});
