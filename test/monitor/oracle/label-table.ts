import type { Client } from 'pg';

import { sqlState } from '../../../src/postgres/sqlstate.ts';
import type { MonitoredPrediction } from '../monitored-model.ts';

/** A table of labels of one model, and what is right about it. */
export type LabelTable = {
  readonly model: string;
  readonly modelId: number;
  readonly name: string;
  /** Whether it says when the truth became known, and may have several labels of an entity. */
  readonly timed: boolean;
};

export const ENTITIES = 60;
const DAYS = 5;

/** One prediction of each entity but the last few, which labels name all the same. */
export function predictionsOf(random: () => number): MonitoredPrediction[] {
  return Array.from({ length: ENTITIES - 5 }, (_, index) => {
    const score = Math.round(random() * 1000) / 1000;
    const at = `2026-03-0${1 + Math.floor(random() * DAYS)} 12:00+00`;
    return { id: index + 1, at, score, label: score >= 0.5 ? 'yes' : 'no' };
  });
}

export async function createTable(alice: Client, { name, timed }: LabelTable): Promise<void> {
  const create = `create table ${name} (id int, known timestamptz not null, outcome text, primary key (${timed ? 'id, known' : 'id'}))`;
  await alice.query(create);
}

/** Whether the views say of a model that they are settled, and what they hold against what the table has, in one snapshot. */
export type Look = { settled: boolean; wrong: unknown[] };

const KNOWN = `select distinct key[1]::int as id, case when $2::boolean then known_at end as known, label from pgscore_data.evaluation where model_id = $1`;
const SHOWN = `select window_date::text as day, n_labeled::int as n, round(accuracy::numeric, 9)::float8 as accuracy
   from pgscore_bi.binary_performance_daily where model_name = $1 and segment_key is null and n_labeled > 0`;

/** A query of the rows that one of two queries has, and the other has not. */
function differing(truth: string, shown: string): string {
  return `select 'missing' as what, t.* from (${truth} except ${shown}) t union all select 'too much', s.* from (${shown} except ${truth}) s limit 10`;
}

/**
 * Looks at a model, while nobody can empty its table: no snapshot would help against that. One whose table is locked is not
 * settled. `predictions` is a table with the id, time and label of each.
 */
export async function look(superuser: Client, table: LabelTable, predictions: string): Promise<Look> {
  const begin = `begin isolation level repeatable read; set local lock_timeout = '500ms'; lock table alice.${table.name} in access share mode`;
  try {
    await superuser.query(begin);
    const settled = `select is_settled from pgscore.label_sources where model = $1`;
    const { rows } = await superuser.query<{ is_settled: boolean }>(settled, [table.model]);
    if (rows[0]?.is_settled !== true) return { settled: false, wrong: [] };
    return { settled: true, wrong: await differences(superuser, table, predictions) };
  } catch (error) {
    if (sqlState(error) === '55P03') return { settled: false, wrong: [] };
    throw error;
  } finally {
    await superuser.query('rollback');
  }
}

async function differences(superuser: Client, table: LabelTable, predictions: string): Promise<unknown[]> {
  const { name, timed, model, modelId } = table;
  const labels = `select id, case when $2::boolean then known end as known, outcome as label from alice.${name} where outcome is not null`;
  // A label judges the prediction of its entity that was for a time not after it; without a time it is later than all of them.
  const pairs = `select day::text, count(*)::int as n, round(avg((said = outcome)::int), 9)::float8 as accuracy
    from (select distinct on (p.id) p.at::date as day, p.label as said, t.outcome from ${predictions} p join alice.${name} t using (id)
           where t.outcome is not null and (not ${timed} or t.known >= p.at) order by p.id, t.known desc) x group by day`;
  const unknown = await superuser.query(differing(labels, KNOWN), [modelId, timed]);
  const miscounted = await superuser.query(differing(pairs, SHOWN), [model]);
  return [...unknown.rows, ...miscounted.rows];
}
