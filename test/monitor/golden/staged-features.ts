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
  await addFeatures(superuser, id, features);
  const touch = `insert into pgscore_data.touched_feature select distinct set_id, day from pgscore_data.cell_feature where set_id = $1`;
  await superuser.query(touch, [id]);
  return model;
}

async function addFeatures(superuser: Client, set: number | undefined, features: readonly StagedFeature[]) {
  const rows = JSON.stringify(features.map((feature, index) => ({ ...feature, feature: index + 1 })));
  const staged = `jsonb_to_recordset($2) f (feature smallint, name text, kind text, low float8, high float8, edges float8[], centers float8[],
    coarse smallint[], categories text[], baseline bigint[], windows jsonb)`;
  const bins = `insert into pgscore_data.feature_bins (set_id, feature, name, kind, n_bins, low, high, edges, centers, coarse, categories, others)
    select $1, feature, name, kind, cardinality(baseline) - 3, low, high, edges, centers, coarse, categories, case kind when 'category' then '{}'::text[] end from ${staged}`;
  await superuser.query(bins, [set, rows]);
  const put = `insert into pgscore_data.feature_baseline select $1, feature, baseline, 0, 0 from ${staged}`;
  await superuser.query(put, [set, rows]);
  const cells = `insert into pgscore_data.cell_feature
    select $1, w.key::timestamptz, f.feature, array(select c::bigint from jsonb_array_elements_text(w.value) with ordinality as x (c, n) order by n), 0, 0
      from ${staged} cross join jsonb_each(f.windows) w`;
  await superuser.query(cells, [set, rows]);
}

/** A number in bins of equal width, one unit each from 0 on. */
export function unitBins(count: number): Pick<StagedFeature, 'low' | 'high' | 'edges' | 'centers' | 'coarse'> {
  const bins = Array.from({ length: count }, (_, bin) => bin);
  const coarse = bins.map((bin) => (count > 10 ? Math.floor((bin * 10) / count) : bin) + 1);
  return { low: 0, high: count, edges: bins.slice(1), centers: bins.map((bin) => bin + 0.5), coarse };
}
