import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';
import { wilson } from './wilson.ts';

const database = await cloneDatabase();
const superuser = await database.client();

type Verdict = Record<'verdict' | 'cause' | 'sentence', string> &
  Record<'causes' | 'since' | 'segment_key' | 'segment_value' | 'feature_name' | 'feature_since', string | null> &
  Record<'undefined_reason' | 'model_version' | 'better_version', string | null> &
  Record<'value' | 'ci_low' | 'ci_high' | 'reference_value' | 'label_coverage' | 'failed_share', number | null> & {
    open_alerts: string;
  };

async function verdictOf(model: string): Promise<Verdict> {
  const { rows } = await superuser.query<Verdict>(
    `select v.*, v.since::text, v.feature_since::text from pgscore_bi.model_verdict v where v.model_name = $1`,
    [model],
  );
  const [row, ...more] = rows;
  if (row === undefined || more.length > 0) throw new Error(`${rows.length} verdicts`);
  return row;
}

type Month = { right: number; of?: number; labelled?: number; wrongIn?: string };
const SEGMENTS = ['north', 'south'];

/** Runs over the tenth of months from January 2024 on, of 400 predictions that all say yes: so many are right, and so many are labelled. */
async function score(name: string, model: MonitoredModel, months: readonly Month[]): Promise<void> {
  const rows = months.flatMap(({ right, of = 400, labelled = of, wrongIn }, month) =>
    Array.from({ length: of }, (_, n) => ({
      id: month * 10_000 + n + 1,
      at: new Date(Date.UTC(2024, month, 10, 10)).toISOString(),
      score: 0.9,
      label: 'yes',
      truth: n < right ? 'yes' : 'no',
      segments: [n >= right && wrongIn !== undefined ? wrongIn : (SEGMENTS[n % 2] ?? '')],
      isLabelled: n < labelled,
    })),
  );
  await addRun(superuser, model, rows, ['region']);
  const known = rows.filter(({ isLabelled }) => isLabelled);
  await superuser.query(
    `select pgscore.record_label($1, l.id::text, l.truth, l.at + interval '1 day') from unnest($2::int[], $3::text[], $4::timestamptz[]) l (id, truth, at)`,
    [name, known.map(({ id }) => id), known.map(({ truth }) => truth), known.map(({ at }) => at)],
  );
  await superuser.query('select pgscore.refresh()');
}

async function modelWith(name: string, months: readonly Month[]): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  await score(name, model, months);
  return model;
}

const AS_BEFORE = [{ right: 320 }, { right: 324 }, { right: 316 }, { right: 320 }];

test('a model whose newest month is surely worse than those before it, and the worst of all, needs somebody', async () => {
  await modelWith('fell', [...AS_BEFORE, { right: 260 }]);
  const [low, high] = wilson(260, 400);
  expect(await verdictOf('fell')).toMatchObject({
    verdict: 'act',
    cause: 'accuracy_worse',
    sentence: `Accuracy fell to 65.0 % in May 2024 (${(100 * low).toFixed(1)} % to ${(100 * high).toFixed(1)} %), from 80.0 % over the 4 months before, most where region is north (80.0 % to 65.0 %).`,
    since: '2024-05-01',
    value: 0.65,
    ci_low: expect.closeTo(low, 12),
    ci_high: expect.closeTo(high, 12),
    reference_value: expect.closeTo(0.8, 12),
    label_coverage: 1,
    open_alerts: '0',
  });
});

test('the segment is told that lost most', async () => {
  await modelWith('south_fell', [...AS_BEFORE, { right: 260, wrongIn: 'south' }]);
  expect(await verdictOf('south_fell')).toMatchObject({ segment_key: 'region', segment_value: 'south' });
});

test('a month that is surely worse, as one was before, is to be watched', async () => {
  await modelWith('seasonal', [{ right: 255 }, ...AS_BEFORE, { right: 260 }]);
  const verdict = await verdictOf('seasonal');
  expect(verdict).toMatchObject({ verdict: 'watch', cause: 'accuracy_worse' });
  expect(verdict.sentence).toContain('; an earlier month was as bad');
});

test('a decline is told from the month on that is below the mean', async () => {
  const slow = Array.from({ length: 9 }, (_, month) => ({ right: 360 - 8 * month }));
  await modelWith('slow', slow);
  expect(await verdictOf('slow')).toMatchObject({ verdict: 'act', cause: 'accuracy_worse', since: '2024-05-01' });
  // 400 times the share that was wrong, by 400, is rounded to less than that share.
  await modelWith('once', [{ right: 324 }, { right: 260 }]);
  expect(await verdictOf('once')).toMatchObject({ verdict: 'act', cause: 'accuracy_worse', since: '2024-02-01' });
});

test('months before a gap are named, as they are not those just before', async () => {
  await modelWith('paused', [...AS_BEFORE, ...Array.from({ length: 24 }, () => ({ right: 0, of: 0 })), { right: 260 }]);
  const { sentence } = await verdictOf('paused');
  expect(sentence).toMatch(/, from 80\.0 % over the 4 judged months of Jan 2024 to Apr 2024, most/);
});

test('a month that differs by no more than chance gives is healthy', async () => {
  await modelWith('steady', [...AS_BEFORE, { right: 312 }]);
  const verdict = await verdictOf('steady');
  expect(verdict).toMatchObject({ verdict: 'healthy', cause: 'none', causes: null, undefined_reason: null });
  expect(verdict.sentence).toMatch(/^Accuracy is 78\.0 % in May 2024 \(.*\), not surely worse than 80\.0 % over the 4/);
});

test('months of which too little of the truth is known are not judged by', async () => {
  await modelWith('early', [...AS_BEFORE, { right: 100, labelled: 300 }]);
  expect(await verdictOf('early')).toMatchObject({ verdict: 'watch', cause: 'labels_late', value: 0.8 });
});

/** Mean absolute errors of months, each spread by a tenth. */
async function regressionWith(name: string, errors: readonly number[]): Promise<void> {
  const model = await addMonitoredModel(superuser, name, 'regression');
  const rows = errors.flatMap((error, month) =>
    Array.from({ length: 100 }, (_, n) => ({
      id: month * 1000 + n + 1,
      at: new Date(Date.UTC(2024, month, 10)).toISOString(),
      score: error * (n % 2 === 0 ? 1.1 : 0.9),
    })),
  );
  await addRun(superuser, model, rows);
  await superuser.query(
    `select pgscore.record_label($1, l.id::text, '0', l.at) from unnest($2::int[], $3::timestamptz[]) l (id, at)`,
    [name, rows.map(({ id }) => id), rows.map(({ at }) => at)],
  );
  await superuser.query('select pgscore.refresh()');
}

test('errors of a regression that grew surely, but by less than a twentieth, are no cause', async () => {
  await regressionWith('little', [10, 10, 10, 10.4]);
  expect(await verdictOf('little')).toMatchObject({ verdict: 'healthy' });
  await regressionWith('more', [10, 10, 10, 10.6]);
  const verdict = await verdictOf('more');
  expect(verdict).toMatchObject({ verdict: 'act', cause: 'accuracy_worse', value: expect.closeTo(10.6, 9) });
  expect(verdict.sentence).toMatch(/^Mean absolute error rose to 10\.60 in Apr 2024 \(.*\), from 10\.00 over the 3/);
});

/** Another run, as it would have ended. */
async function endRun({ versionId, targetId }: MonitoredModel, state: string, done: number, failed: number) {
  await superuser.query(
    `insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state, attempt, rows_done, rows_failed, error_code, error, finished_at, counted)
     values ('alice', $1, $2, 'public', 'source', 'ctid', '{}', 'error', $3, 1, $4, $5, case $3 when 'failed' then 'source_missing' end, case $3 when 'failed' then 'gone' end, '2024-06-01 12:00+00', true)`,
    [versionId, targetId, state, done, failed],
  );
}

test('failed rows and failed runs weigh more than a month to be watched, and both are told', async () => {
  const model = await modelWith('runs', [{ right: 255 }, ...AS_BEFORE, { right: 260 }]);
  await endRun(model, 'done', 1000, 5);
  expect(await verdictOf('runs')).toMatchObject({ verdict: 'watch', causes: 'accuracy_worse', failed_share: 0.005 });
  await endRun(model, 'done', 1000, 20);
  expect(await verdictOf('runs')).toMatchObject({ verdict: 'watch', causes: 'accuracy_worse, rows_failed' });
  await endRun(model, 'done', 1000, 50);
  const failedRows = await verdictOf('runs');
  expect(failedRows).toMatchObject({ verdict: 'act', cause: 'rows_failed', causes: 'rows_failed, accuracy_worse' });
  expect(failedRows.sentence).toMatch(/^Run \d+ could not score 50 of its 1,000 rows \(5\.0 %\)\.$/);
  await endRun(model, 'failed', 0, 0);
  const failedRun = await verdictOf('runs');
  expect(failedRun).toMatchObject({ verdict: 'act', cause: 'run_failed', since: '2024-06-01', failed_share: null });
  expect(failedRun.sentence).toMatch(/^Run \d+ failed on 1 Jun 2024: source_missing\.$/);
  // Of a watch that is gone.
  await superuser.query(`update pgscore_data.run set watch_id = 9999 where state = 'failed' and version_id = $1`, [
    model.versionId,
  ]);
  expect(await verdictOf('runs')).toMatchObject({ verdict: 'act', cause: 'rows_failed' });
});

test('labels of 90 days that are due and not there are told, with the share that is', async () => {
  await modelWith('late', [...AS_BEFORE, { right: 160, labelled: 200 }]);
  expect(await verdictOf('late')).toMatchObject({
    verdict: 'watch',
    cause: 'labels_late',
    since: '2024-05-10',
    label_coverage: 2.5 / 3,
    sentence:
      'Labels are late: the truth is known of 83.3 % of the predictions for 10 Mar 2024 to 10 May 2024. All of them are due; this model asks for 95 %.',
  });
});

test('days whose predictions later ones superseded are not late', async () => {
  const model = await addMonitoredModel(superuser, 'superseded', 'binary');
  const ids = Array.from({ length: 40 }, (_, n) => n + 1);
  for (const at of ['2024-01-10T10:00:00Z', '2024-02-10T10:00:00Z'])
    await addRun(
      superuser,
      model,
      ids.map((id) => ({ id, at, score: 0.9, label: 'yes' })),
    );
  await superuser.query(
    `select pgscore.record_label('superseded', id::text, 'yes', '2024-02-11 00:00+00') from generate_series(1, 40) id`,
  );
  await superuser.query('select pgscore.refresh()');
  expect(await verdictOf('superseded')).toMatchObject({ verdict: 'healthy', label_coverage: 1, value: 1 });
});

test('a version that is surely better than the champion is told', async () => {
  const champion = await addMonitoredModel(superuser, 'rivals', 'binary');
  const challenger = await addVersion(superuser, champion, 2);
  await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
    champion.modelId,
    champion.versionId,
  ]);
  await score('rivals', champion, [{ right: 280 }]);
  const rows = Array.from({ length: 400 }, (_, n) => ({
    id: n + 1,
    at: '2024-01-10T10:00:00Z',
    score: 0.9,
    label: n < 300 ? 'yes' : 'no',
  }));
  await addRun(superuser, challenger, rows);
  await superuser.query('select pgscore.refresh()');
  await superuser.query('select pgscore_data._compare_versions(false)');
  await superuser.query('select pgscore_data._compare_versions(false)');
  const verdict = await verdictOf('rivals');
  expect(verdict).toMatchObject({
    verdict: 'watch',
    cause: 'challenger_better',
    model_version: '1',
    better_version: '2',
  });
  const better = `Version 2 is surely better: accuracy 95.0 % instead of 70.0 %, by labels that judge both, 10 Jan 2024. Promote it with pgscore.promote('rivals@2').`;
  expect(verdict.sentence).toBe(better);
  await superuser.query('update pgscore_data.run set rows_done = 400, rows_failed = 40 where version_id = $1', [
    champion.versionId,
  ]);
  const { cause, sentence } = await verdictOf('rivals');
  expect(cause).toBe('rows_failed');
  expect(sentence).toMatch(/^Run \d+ could not score 40 of its 400 rows \(10\.0 %\)\. Version 2 /);
  expect(sentence.endsWith(better)).toBe(true);
});

test('an alert that is raised is a cause by its kind: silence of scoring before drift', async () => {
  const model = await modelWith('alarmed', AS_BEFORE);
  const raise = async (rule: string, metric: string, kind: string, severity: string): Promise<void> => {
    await superuser.query(
      `insert into pgscore_data.alert (fingerprint, model_id, rule, version_id, column_name, metric, grain, kind, severity, state, since, value, upper_threshold)
       values ($1, $2, $1, $3, '', $4, 'day', $5, $6, 'firing', '2024-06-01 12:00+00', 50.4464, 0.5)`,
      [rule, model.modelId, kind === 'feed' ? 0 : model.versionId, metric, kind, severity],
    );
  };
  await raise('dataset_drift', 'drift_share', 'drift', 'info');
  expect(await verdictOf('alarmed')).toMatchObject({
    verdict: 'watch',
    cause: 'drift',
    open_alerts: '1',
    since: '2024-06-01',
    sentence: 'Alert dataset_drift is raised since 1 Jun 2024: drift_share is 50.45, above 0.5.',
  });
  await raise('scoring_stopped', 'hours_since_scoring', 'feed', 'critical');
  expect(await verdictOf('alarmed')).toMatchObject({ verdict: 'act', cause: 'scoring_stopped', open_alerts: '2' });
  await raise('auc_drop', 'roc_auc', 'performance', 'warning');
  expect(await verdictOf('alarmed')).toMatchObject({ causes: 'accuracy_worse, scoring_stopped, drift' });
});

test('where there is nothing to judge by, the sentence says what to do', async () => {
  const unready = `with m as (insert into pgscore_data.model (name, created_by) values ('none', 'me') returning model_id) insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, deployed_by, reason) select model_id, 1, 'rejected', '', 1, 'me', 'it is odd' from m`;
  await superuser.query(unready);
  const rejected = 'No version is ready to score, and none@1 was rejected: it is odd';
  expect(await verdictOf('none')).toMatchObject({ verdict: 'unknown', cause: 'no_version', sentence: rejected });
  const model = await addMonitoredModel(superuser, 'new', 'binary');
  const cause = async (): Promise<[string, string]> => {
    const { verdict, cause: found, undefined_reason: reason, sentence } = await verdictOf('new');
    expect([verdict, reason]).toEqual(['unknown', found]);
    return [found, sentence];
  };
  expect(await cause()).toEqual(['no_predictions', expect.stringContaining('pgscore.score_table()')]);
  const at = new Date(Date.now() - 172_800_000).toISOString();
  const rows = Array.from({ length: 40 }, (_, n) => ({ id: n + 1, at, score: 0.9, label: 'yes' }));
  await addRun(superuser, model, rows);
  await superuser.query('select pgscore.refresh()');
  const setTask = `update pgscore_data.execution set task = $2, score_unit = $3 where version_id = $1`;
  const noTruth = ['no_truth', expect.stringContaining('its volume')];
  await superuser.query(setTask, [model.versionId, 'embedding', null]);
  expect(await cause()).toEqual(noTruth);
  await superuser.query(setTask, [model.versionId, 'multiclass', 'distance']);
  expect(await cause()).toEqual(noTruth);
  await superuser.query(setTask, [model.versionId, 'binary', null]);
  expect(await cause()).toEqual(['no_label_source', expect.stringContaining(`pgscore.set_labels('new', …)`)]);
  await superuser.query(
    `insert into pgscore_data.label_source (model_id, set_by, source_schema, source_name, label_columns, key_columns, time_zone)
     values ($1, 'alice', 'public', 'truth', '{label}', '{id}', 'UTC')`,
    [model.modelId],
  );
  const waiting = 'Labels are waiting to be counted, which takes seconds while a service runs.';
  expect(await cause()).toEqual(['labels_waiting', waiting]);
  const compared = 'update pgscore_data.label_source set compared_at = now(), error = $2 where model_id = $1';
  await superuser.query(compared, [model.modelId, 'relation "truth" does not exist']);
  expect(await cause()).toEqual(['labels_unreadable', expect.stringContaining('pgscore.label_sources has the error')]);
  await superuser.query(compared, [model.modelId, null]);
  expect(await cause()).toEqual(['no_labels', expect.stringMatching(/public.truth.*known_at/)]);
  await superuser.query(`select pgscore.record_label('new', '1', 'yes', now() - interval '1 day')`);
  expect(await cause()).toEqual(['labels_waiting', waiting]);
  await superuser.query('select pgscore.refresh()');
  expect(await cause()).toEqual(['no_mature_month', expect.stringContaining('takes 30 labels, and the truth of 95 %')]);
});
