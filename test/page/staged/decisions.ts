import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { addMonitoredModel, addRun, addVersion, type MonitoredPrediction } from '../../monitor/monitored-model.ts';
import { drawnIn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

const ROWS = 120;

type Said = (id: number) => Pick<MonitoredPrediction, 'score' | 'label' | 'probabilities'>;

/** A model of two versions that decided differently about the same. */
async function addTwice(
  superuser: Client,
  name: string,
  task: 'binary' | 'multiclass',
  says: readonly [Said, Said],
  truth: string,
): Promise<void> {
  const first = await addMonitoredModel(superuser, name, task);
  const second = await addVersion(superuser, first, 2);
  for (const [at, version] of [first, second].entries()) {
    const said = says[at];
    if (said === undefined) continue;
    const rows = Array.from({ length: ROWS }, (_, id) => ({ id, at: '2026-02-03 09:00+00', ...said(id) }));
    await addRun(superuser, version, rows);
  }
  const label = `select pgscore.record_label($1, id::text, ${truth}, '2026-02-04') from generate_series(0, ${ROWS - 1}) id`;
  await superuser.query(label, [name]);
}

export async function addDecisions(superuser: Client): Promise<void> {
  const scored = (score: number) => ({ score, label: score >= 0.5 ? 'yes' : 'no' });
  await addTwice(
    superuser,
    'late',
    'binary',
    [(id) => scored((id % 10) / 10), (id) => scored(((id * 7 + 2) % 20) / 20)],
    `case when id % 10 > 3 then 'yes' else 'no' end`,
  );
  const classed = (at: number) => ({ score: 0.5, probabilities: [0.5, 0.3, 0.2], label: 'abc'[at % 3] ?? '' });
  await addTwice(
    superuser,
    'animal',
    'multiclass',
    [(id) => classed(id), (id) => classed(id + (id % 4 === 0 ? 1 : 0))],
    `substr('abc', 1 + (id + (id % 5 = 0)::int) % 3, 1)`,
  );
}

export function decisions({ page, show, rowsOf }: Stage): void {
  /** The cells of a version's matrix, row by row, as the view has them. */
  async function cellsOf(model: string, version: number): Promise<string[]> {
    const order = model === 'late' ? 'desc' : 'asc';
    const rows = await rowsOf<{ n: string }>(
      `select sum(n)::text as n from pgscore_bi.confusion_matrix_daily where model_name = '${model}' and model_version = ${version}
        group by actual_class, predicted_class order by actual_class ${order}, predicted_class ${order}`,
    );
    return rows.map(({ n }) => n);
  }

  describe('what the version before decided', () => {
    /** Its view has no row for what never happened. */
    async function shownIn(panel: string): Promise<string[]> {
      const cells = page.locator(`#${panel} .cell strong`);
      await cells.first().waitFor();
      return (await cells.allTextContents()).filter((n) => n !== '0');
    }

    test.each([
      ['late', 'threshold'],
      ['animal', 'classes'],
    ])('of %s takes the place of this one at a press, and back', async (model, panel) => {
      const [earlier, later] = [await cellsOf(model, 1), await cellsOf(model, 2)];
      expect(earlier).not.toEqual(later);
      await show(`#/model/${model}?versions=2`);
      expect(await shownIn(panel)).toEqual(later);
      await page.locator(`#${panel} [data-key="decisions of 1"]`).press('Enter');
      await page.locator(`#${panel} [data-key="decisions of 1"][aria-pressed=true]`).waitFor();
      expect(await shownIn(panel)).toEqual(earlier);
      expect(page.url()).toContain('previous=yes');
      await page.reload();
      expect(await shownIn(panel)).toEqual(earlier);
      await page.locator(`#${panel} [data-key="decisions of 2"]`).press('Enter');
      await page.locator(`#${panel} [data-key="decisions of 2"][aria-pressed=true]`).waitFor();
      expect(await shownIn(panel)).toEqual(later);
    });

    test('comes with its own curves', async () => {
      await show('#/model/late?versions=2&previous=yes');
      const curve = await rowsOf<{ x: number; y: number }>(
        `select threshold as x, recall_score as y from pgscore_bi.threshold_curve where model_name = 'late' and model_version = 1 order by 1`,
      );
      const drawn = await drawnIn(page, 'threshold');
      expect(drawn.find(({ label }) => label === 'recall')?.data).toEqual(curve);
    });

    test('is not offered where there is none', async () => {
      await show('#/model/late?versions=1&previous=yes');
      expect(await shownIn('threshold')).toEqual(await cellsOf('late', 1));
      expect(await page.locator('#threshold [data-key^="decisions of"]').count()).toBe(0);
    });
  });
}
