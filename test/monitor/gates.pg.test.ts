import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

type Said = { readonly isRight: (n: number) => boolean; readonly region?: (n: number) => string };

/** Whether nine of ten are right, each version in others. */
const MOSTLY = (n: number) => n % 10 !== 0;
const MOSTLY_TOO = (n: number) => n % 10 !== 1;

function said(rows: number, { isRight, region }: Said) {
  return Array.from({ length: rows }, (_, n) => {
    const isYes = isRight(n) === (n % 3 === 0);
    const segments = region === undefined ? {} : { segments: [region(n)] };
    return { id: n, at: '2026-03-02 12:00+00', score: isYes ? 0.75 : 0.25, label: isYes ? 'yes' : 'no', ...segments };
  });
}

/** A model with a champion and a second version, which said so much of the same rows, all of which have a label. */
async function stage(name: string, rows: number, champion: Said, candidate: Said): Promise<MonitoredModel> {
  const older = await addMonitoredModel(superuser, name, 'binary');
  const newer = await addVersion(superuser, older, 2);
  await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
    older.modelId,
    older.versionId,
  ]);
  if (champion.region !== undefined) await ada.query(`select pgscore.monitor($1, segments => '{region}')`, [name]);
  for (const [version, of] of [
    [older, champion],
    [newer, candidate],
  ] as const) {
    await addRun(superuser, version, said(rows, of), of.region === undefined ? [] : ['region']);
  }
  await superuser.query(
    `select pgscore.record_label($1, n::text, case n % 3 when 0 then 'yes' else 'no' end, '2026-03-02 13:00+00') from generate_series(0, $2::int - 1) n`,
    [name, rows],
  );
  await superuser.query('select pgscore.refresh()');
  return newer;
}

type Verdict = {
  gate: string;
  passed: boolean;
  value: number | null;
  low: number | null;
  high: number | null;
  needs: string | null;
  reason: string;
};

async function check(version: string): Promise<Verdict[]> {
  return (await ada.query<Verdict>('select * from pgscore.check_gates($1)', [version])).rows;
}

async function champion(model: string): Promise<unknown> {
  const read = `select version from pgscore.models where model = $1 and 'champion' = any (aliases)`;
  return (await ada.query(read, [model])).rows[0]?.version;
}

describe('a version that is not to be worse', () => {
  test('passes by the bound of the interval of version_comparison, not by the value', async () => {
    await stage('even', 2000, { isRight: MOSTLY }, { isRight: MOSTLY_TOO });
    await ada.query(`select pgscore.set_gate('even', 'not_worse', metric => 'accuracy', margin => 0.03)`);
    await ada.query(
      `select pgscore.set_gate('even', 'not_worse', metric => 'recall', margin => 0.001, against => 'predecessor', name => 'strict')`,
    );
    const shown = `select metric, ci_low, ci_high, difference from pgscore_bi.version_comparison where model_name = 'even' and compared_with = 'champion'`;
    const { rows } = await superuser.query<{ metric: string; ci_low: number; ci_high: number; difference: number }>(
      shown,
    );
    const by = Object.fromEntries(
      rows.map(({ metric, difference: value, ci_low: low, ci_high: high }) => [metric, { value, low, high }]),
    );
    expect(await check('even@2')).toEqual([
      {
        gate: 'not_worse_accuracy',
        passed: true,
        needs: null,
        reason: expect.stringMatching(
          /^accuracy is 0\.9, that of even@1 0\.9, by labels that judge both, 2 Mar 2026: 0\.0\d+ worse at most$/,
        ),
        ...by['accuracy'],
      },
      {
        gate: 'strict',
        passed: false,
        needs: expect.stringMatching(/^about \d+ more labels$/),
        reason: expect.stringMatching(/^recall_score is 0\.9.*it may be 0\.0\d+ worse$/),
        ...by['recall_score'],
      },
    ]);
  });

  test.each([0, 1e-300])('says that far more labels are needed for a margin of %s', async (margin) => {
    await ada.query(
      `select pgscore.set_gate('even', 'not_worse', metric => 'accuracy', margin => $1, name => 'none')`,
      [margin],
    );
    expect((await check('even@2')).find(({ gate }) => gate === 'none')).toMatchObject({
      passed: false,
      needs: 'far more labels',
      reason: expect.stringMatching(/: it may be 0\.0\d+ worse$/),
    });
    await ada.query(`select pgscore.drop_gate('even', 'none')`);
  });

  test('is not promoted where it is worse, and by force with a reason, which the audit keeps', async () => {
    await stage('worse', 600, { isRight: MOSTLY }, { isRight: (n) => n % 2 === 0 });
    await ada.query(`select pgscore.set_gate('worse', 'not_worse', metric => 'accuracy', margin => 0.01)`);
    await ada.query(`select pgscore.set_gate('worse', 'not_worse', metric => 'roc_auc', margin => 0.01)`);
    expect(await refusal(ada, `select pgscore.promote('worse@2')`)).toEqual({
      code: '55000',
      message: 'version "worse@2" does not pass the gates of its model: not_worse_accuracy, not_worse_roc_auc',
      detail: expect.stringMatching(
        /^not_worse_accuracy: accuracy is 0\.5, that of worse@1 0\.9, by labels that judge both, 2 Mar 2026: 0\.4 worse\.\nnot_worse_roc_auc: roc_auc is .*\.$/,
      ),
      hint: `See what it needs: select * from pgscore.check_gates('worse@2'); or add force => true, reason => '…'.`,
    });
    expect((await refusal(ada, `select pgscore.set_alias('worse@2', 'champion')`)).code).toBe('55000');
    for (const reason of [null, '', ' \t\n'])
      expect(
        await refusal(ada, `select pgscore.promote('worse@2', force => true, reason => $1)`, [reason]),
      ).toMatchObject({
        code: '22023',
        message: 'a promotion that is forced needs a reason',
      });
    expect(await champion('worse')).toBe(1);
    await ada.query(`select pgscore.promote('worse@2', force => true, reason => 'the old one is withdrawn')`);
    expect(await champion('worse')).toBe(2);
    const audit = `select action, version, detail from pgscore.audit where model = 'worse' and action in ('promote', 'rollback') order by at`;
    const forced = {
      force: true,
      reason: 'the old one is withdrawn',
      failed: [expect.any(String), expect.any(String)],
    };
    expect((await ada.query(audit)).rows).toEqual([{ action: 'promote', version: 2, detail: forced }]);
    await ada.query(`select pgscore.set_alias('worse@2', 'champion')`);
    expect((await check('worse@2'))[0]).toMatchObject({ passed: true, reason: 'it is the champion' });
  });

  test('needs labels where there are few, and is compared with nobody where there are none', async () => {
    const newer = await stage('few', 20, { isRight: MOSTLY }, { isRight: MOSTLY });
    await ada.query(`select pgscore.set_gate('few', 'not_worse', metric => 'accuracy', margin => 0.05)`);
    const [verdict] = await check('few@2');
    expect(verdict).toMatchObject({
      passed: false,
      needs: '10 more labels',
      reason: 'accuracy counts 20 labels, by labels that judge both, 2 Mar 2026',
    });
    await ada.query(
      `select pgscore.set_gate('few', 'not_worse', metric => 'accuracy', margin => 0.05, minimum_labels => 500)`,
    );
    expect((await check('few@2'))[0]?.needs).toBe('480 more labels');
    await addVersion(superuser, newer, 3);
    expect((await check('few@3'))[0]).toMatchObject({
      passed: false,
      value: null,
      needs: 'labels that judge both versions',
      reason: 'it is not compared with few@1 yet',
    });
    expect((await refusal(ada, `select pgscore.promote('few@3')`)).detail).toBe(
      'not_worse_accuracy: it is not compared with few@1 yet (needs labels that judge both versions).',
    );
  });

  test('may have greater errors by the margin, as of a regression less is better', async () => {
    const older = await addMonitoredModel(superuser, 'errors', 'regression');
    const newer = await addVersion(superuser, older, 2);
    await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
      older.modelId,
      older.versionId,
    ]);
    for (const [version, off] of [
      [older, 1],
      [newer, 2],
    ] as const) {
      const rows = Array.from({ length: 400 }, (_, n) => ({
        id: n,
        at: '2026-03-02 12:00+00',
        score: n + off * (1 + (n % 7)),
      }));
      await addRun(superuser, version, rows);
    }
    await superuser.query(
      `select pgscore.record_label('errors', n::text, n::text, '2026-03-02 13:00+00') from generate_series(0, 399) n`,
    );
    await superuser.query('select pgscore.refresh()');
    await ada.query(`select pgscore.set_gate('errors', 'not_worse', metric => 'mae', margin => 5, name => 'loose')`);
    await ada.query(`select pgscore.set_gate('errors', 'not_worse', metric => 'mae', margin => 1, name => 'tight')`);
    expect(await check('errors@2')).toMatchObject([
      {
        gate: 'loose',
        passed: true,
        reason: expect.stringMatching(/^mae is 7\.\d+, that of errors@1 3\.\d+, by .*: 4\.\d+ worse at most$/),
      },
      { gate: 'tight', passed: false, needs: null, reason: expect.stringMatching(/: [34]\.\d+ worse$/) },
    ]);
    await superuser.query(`update pgscore_data.alias a set version_id = $1 where a.version_id = $2`, [
      newer.versionId,
      older.versionId,
    ]);
    await superuser.query('select pgscore.refresh()');
    expect((await check('errors@1')).map(({ passed }) => passed)).toEqual([true, true]);
  });
});

describe('segments', () => {
  const region = (n: number) => (n % 4 === 0 ? 'east' : 'west');

  test('a version that is worse in one of them is refused, and that one is named', async () => {
    const worseInEast = (n: number) => (region(n) === 'east' ? n % 8 !== 0 : MOSTLY(n));
    await stage('regions', 1600, { isRight: MOSTLY, region }, { isRight: worseInEast, region });
    await ada.query(`select pgscore.set_gate('regions', 'no_segment_worse', metric => 'accuracy', margin => 0.05)`);
    expect(await check('regions@2')).toMatchObject([
      { passed: false, needs: expect.stringMatching('by segment'), reason: 'it is not compared with regions@1 yet' },
    ]);
    await superuser.query('select pgscore.refresh()');
    const [verdict] = await check('regions@2');
    expect(verdict).toMatchObject({
      gate: 'no_segment_worse_accuracy',
      passed: false,
      needs: null,
      reason: expect.stringMatching(
        /^region = east: accuracy is 0\.5, that of regions@1 0\.8, by labels that judge both, 2 Mar 2026: 0\.3 worse$/,
      ),
    });
    expect(verdict?.value).toBeCloseTo(-0.3, 12);
    expect((await refusal(ada, `select pgscore.promote('regions@2')`)).detail).toContain('region = east');
    const overall = `select n_a::int from pgscore_bi.version_comparison where model_name = 'regions' and metric = 'accuracy'`;
    expect((await superuser.query(overall)).rows).toEqual([{ n_a: 1600 }, { n_a: 1600 }]);
  });

  test('the interval of a segment is that of a model with nothing but this segment', async () => {
    const older = await addMonitoredModel(superuser, 'west', 'binary');
    const newer = await addVersion(superuser, older, 2);
    const rows = said(1600, { isRight: MOSTLY }).filter(({ id }) => region(id) === 'west');
    await addRun(superuser, older, rows);
    await addRun(superuser, newer, rows);
    await superuser.query(
      `select pgscore.record_label('west', n::text, case n % 3 when 0 then 'yes' else 'no' end, '2026-03-02 13:00+00') from unnest($1::int[]) n`,
      [rows.map(({ id }) => id)],
    );
    await superuser.query('select pgscore.refresh()');
    // Sums of doubles go by the order of rows, which is not the same.
    const read = `select d.metric, d.n, d.value, d.other_value, round(d.low::numeric, 12) as low, round(d.high::numeric, 12) as high
        from pgscore_data.compared_metric d
        join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
        left join pgscore_data.segment s using (segment_id) where m.name = $1 and s.value is not distinct from $2 order by 1`;
    const expected = (await superuser.query(read, ['west', null])).rows;
    expect(expected.length).toBe(5);
    expect((await superuser.query(read, ['regions', 'west'])).rows).toEqual(expected);
  });

  test('one of which little is known needs labels, but for one that has few predictions', async () => {
    const tiny = (n: number) => (n === 1 ? 'north' : region(n));
    await stage('tiny', 2000, { isRight: MOSTLY, region: tiny }, { isRight: MOSTLY, region: tiny });
    await ada.query(
      `select pgscore.set_gate('tiny', 'no_segment_worse', metric => 'accuracy', margin => 0.05, by => 'region')`,
    );
    await superuser.query('select pgscore.refresh()');
    expect(await check('tiny@2')).toMatchObject([
      {
        passed: true,
        needs: null,
        reason: expect.stringMatching(/^none of 3 is worse; the nearest is region = .*; 1 has few predictions$/),
      },
    ]);
    await ada.query(
      `select pgscore.set_gate('tiny', 'no_segment_worse', metric => 'accuracy', margin => 0.05, minimum_labels => 600)`,
    );
    expect(await check('tiny@2')).toMatchObject([
      {
        passed: false,
        needs: '100 more labels for region = east',
        reason: 'region = east: accuracy counts 500 labels, by labels that judge both, 2 Mar 2026',
      },
    ]);
  });

  test('a version does not pass where every one has few predictions, and none is judged by labels', async () => {
    const crumb = (n: number) => `r${n % 200}`;
    await stage('crumbs', 2000, { isRight: MOSTLY, region: crumb }, { isRight: MOSTLY, region: crumb });
    await ada.query(`select pgscore.set_gate('crumbs', 'no_segment_worse', metric => 'accuracy', margin => 0.05)`);
    await superuser.query('select pgscore.refresh()');
    expect(await check('crumbs@2')).toMatchObject([
      {
        passed: false,
        needs: '30 labels that judge both versions in a segment',
        reason: 'each of 200 segments has few predictions, and no labels tell that it is not worse',
      },
    ]);
  });
});
