import type { Client } from 'pg';

import { addMonitoredModel, type MonitoredModel } from '../monitored-model.ts';

/** A feature with what its baseline and each day hold, by slot: missing, below or new, the bins, above or other. */
export type StagedFeature = {
  readonly name: string;
  readonly kind: 'number' | 'category';
  readonly low?: number;
  readonly high?: number;
  readonly edges?: readonly number[];
  readonly centers?: readonly number[];
  readonly coarse?: readonly number[];
  readonly categories?: readonly string[];
  readonly baseline: readonly number[];
  /** By day. */
  readonly windows: Readonly<Record<string, readonly number[]>>;
};

/** A model whose features were counted so, as the refresh would have left it. */
export async function stageFeatures(
  superuser: Client,
  name: string,
  features: readonly StagedFeature[],
): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'regression');
  const set = await superuser.query<{ id: number }>(
    `insert into pgscore_data.feature_set (version_id, baseline, baseline_complete) values ($1, 'table', true) returning set_id as id`,
    [model.versionId],
  );
  const id = set.rows[0]?.id;
  for (const [index, feature] of features.entries()) await addFeature(superuser, id, index + 1, feature);
  const touch = `insert into pgscore_data.touched_feature select distinct set_id, day from pgscore_data.cell_feature where set_id = $1`;
  await superuser.query(touch, [id]);
  return model;
}

async function addFeature(superuser: Client, set: number | undefined, at: number, feature: StagedFeature) {
  const { name, kind, low, high, edges, centers, coarse, categories, baseline, windows } = feature;
  const bins = `insert into pgscore_data.feature_bins (set_id, feature, name, kind, n_bins, low, high, edges, centers, coarse, categories, others)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, case $4 when 'category' then '{}'::text[] end)`;
  const binned = [low, high, edges, centers, coarse, categories].map((value) => value ?? null);
  await superuser.query(bins, [set, at, name, kind, baseline.length - 3, ...binned]);
  const put = `insert into pgscore_data.feature_baseline values ($1, $2, $3, 0, 0)`;
  await superuser.query(put, [set, at, baseline]);
  const cells = `insert into pgscore_data.cell_feature
    select $1, w.key::timestamptz, $2, array(select c::bigint from jsonb_array_elements_text(w.value) with ordinality as x (c, n) order by n), 0, 0 from jsonb_each($3) w`;
  await superuser.query(cells, [set, at, JSON.stringify(windows)]);
}

/** A number in bins of equal width, one unit each from 0 on. */
export function unitBins(count: number): Pick<StagedFeature, 'low' | 'high' | 'edges' | 'centers' | 'coarse'> {
  const bins = Array.from({ length: count }, (_, bin) => bin);
  const coarse = bins.map((bin) => (count > 10 ? Math.floor((bin * 10) / count) : bin) + 1);
  return { low: 0, high: count, edges: bins.slice(1), centers: bins.map((bin) => bin + 0.5), coarse };
}
