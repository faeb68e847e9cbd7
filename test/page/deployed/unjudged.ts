import { beforeAll, describe, expect, test } from '@jest/globals';

import { outputCase } from '../../models/output-kinds.ts';
import { drawnIn } from '../../support/browser.ts';
import { deployBytes } from '../../support/deploy.ts';
import { DataType, floats, node, onnxModel, tensorValue } from '../../support/onnx-builder.ts';
import { scoreTable } from '../../support/run.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

const DAYS = 70;

const VECTOR = onnxModel({
  inputs: [tensorValue('x', [null, 2])],
  outputs: [tensorValue('y', [null, 3], DataType.FLOAT)],
  tensors: [floats('w', [2, 3], [1, 2, 3, 4, 5, 6])],
  nodes: [node('MatMul', ['x', 'w'], ['y'])],
});

export function unjudged({ superuser, ada, alice, page, show }: Stage): void {
  /** Scores a row an hour from January to March, of columns that are random and stay as they are. */
  async function scoreHours(model: string, columns: readonly string[]): Promise<void> {
    await ada.query(`select pgscore.grant_model($1, 'alice')`, [model]);
    const values = columns.map((column, at) => `(n * ${37 + at} % 101)::float8 as "${column}"`).join(', ');
    const create = `
      create table "${model}" as
      select n as id, '2026-01-05 12:00+00'::timestamptz + n * interval '1 hour' as at, ${values} from generate_series(1, ${24 * DAYS}) n;
      alter table "${model}" add primary key (id)`;
    await alice.query(create);
    await scoreTable(alice, model, model, { event_time: 'at', target: `${model}_said` });
  }

  describe('the page of a model that is not judged', () => {
    beforeAll(async () => {
      await deployBytes(ada, 'vector', VECTOR, { task: 'embedding', features: ['a', 'b'] });
      await scoreHours('vector', ['a', 'b']);
      for (const name of ['kmeans', 'isolation_forest']) {
        const { bytes, rows, options } = outputCase(name);
        await deployBytes(ada, name, bytes, { ...options });
        await scoreHours(
          name,
          Object.keys(rows[0] ?? {}).filter((column) => !column.startsWith('expected')),
        );
      }
      const drifted = `select count(distinct model_name)::int as n from pgscore_bi.feature_drift_monthly where model_name in ('vector', 'kmeans', 'isolation_forest')`;
      const isMeasured = async (): Promise<boolean> => (await superuser.query<{ n: number }>(drifted)).rows[0]?.n === 3;
      await waitFor(isMeasured, { message: 'the drift of all three', timeout: 60_000 });
    });

    async function showEvents(hash: string): Promise<void> {
      await show(hash);
      await page.locator('#events tbody tr').first().waitFor();
    }

    /** The panels with a plot in which nothing is drawn. */
    async function emptyPlots(): Promise<string[]> {
      const panels = await page
        .locator('section[id]:has(canvas):visible')
        .evaluateAll((all) => all.map(({ id }) => id));
      const drawn = await Promise.all(panels.map(async (id) => [id, await drawnIn(page, id)] as const));
      const isEmpty = (one: Awaited<ReturnType<typeof drawnIn>>): boolean =>
        one.every(({ data }) => data.every((point) => (typeof point === 'number' ? point : point.y) === null));
      return drawn.filter(([, one]) => isEmpty(one)).map(([id]) => id);
    }

    test.each(['vector', 'kmeans'])(
      'that no label judges has its volume and the drift of its features, and asks for no labels: %s',
      async (model) => {
        await showEvents(`#/model/${model}?grain=month`);
        expect(await page.locator('h1 .chip').innerText()).toBe(model === 'kmeans' ? 'clustering' : 'embedding');
        await page.locator('#drift .heat').waitFor();
        await drawnIn(page, 'feature');
        const view = await superuser.query<{ at: string; n: number }>(
          `select window_date::text as at, n_predictions::int as n from pgscore_bi.label_coverage_daily where model_name = $1 order by 1`,
          [model],
        );
        expect(view.rows.length).toBeGreaterThan(DAYS);
        expect(await drawnIn(page, 'coverage')).toEqual([
          { label: 'predictions', data: view.rows.map(({ at, n }) => ({ x: Date.parse(`${at}T00:00:00Z`), y: n })) },
        ]);
        expect(await page.locator('#coverage').textContent()).toContain('No label judges what this model gives.');
        for (const panel of ['performance', 'label-age', 'classes', 'scores'])
          expect([panel, await page.locator(`#${panel}`).isVisible()]).toEqual([panel, false]);
        expect(await page.locator('#choose-metric:visible, #choose-month:visible').count()).toBe(0);
        expect(await page.innerText('main')).not.toContain('set_labels');
        expect(await emptyPlots()).toEqual([]);
      },
    );

    test('of anomalies without labels says where to bring them, and draws no empty plot', async () => {
      await showEvents('#/model/isolation_forest');
      expect(await page.locator('#performance pre').textContent()).toContain(`pgscore.set_labels('isolation_forest'`);
      await page.locator('#scores canvas').waitFor();
      expect(await emptyPlots()).toEqual([]);
    });
  });
}
