import type { Client } from 'pg';

import { deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { loadValueRows } from '../support/value-models.ts';

export type Kind = {
  /** Files of test/models/values, one a version: both give the same targets. */
  readonly versions: readonly [string, string];
  readonly options: Record<string, unknown>;
  readonly targets: readonly string[];
  /** Of each target, the column of what was said of it. */
  readonly columns: readonly string[];
  /** Its truth in month r.m, 0 to 3: `a` and `b` are what the versions said, and `noise` lies between -1 and 1. */
  readonly truths: readonly string[];
};

const MONTHS = 4;
const ROWS = 100;
const COPIES = 3;

/**
 * A model of several targets with two versions. Both score 300 flights a month from January to April 2026, region north or south;
 * what came of them is made of what they said.
 */
export async function addFlightsByTarget(ada: Client, alice: Client, model: string, kind: Kind): Promise<void> {
  const [first, second] = kind.versions;
  const deployed = { ...kind.options, trained_until: '2025-12-31' };
  await deployModel(ada, model, `test/models/values/${first}.onnx`, deployed);
  await deployModel(ada, model, `test/models/values/${second}.onnx`, deployed);
  await ada.query(`select pgscore.grant_model($1, 'alice')`, [model]);
  await ada.query(`select pgscore.monitor($1, segments => '{region}')`, [model]);
  await loadValueRows(alice, first);
  const create = `create table ${model}_rows as
    select x.flight_id * 100 + m * 10 + n as id, m, case n % 2 when 0 then 'north' else 'south' end as region,
           '2026-01-05 12:00+00'::timestamptz + m * interval '1 month' + n * interval '1 day' as at, x.*
      from ${first} x, generate_series(0, ${MONTHS - 1}) m, generate_series(1, ${COPIES}) n;
    alter table ${model}_rows add primary key (id);
    drop table ${first}`;
  await alice.query(create);
  for (const number of [1, 2]) {
    const options = { event_time: 'at', target: `${model}_said_${number}` };
    await scoreTable(alice, `${model}@${number}`, `${model}_rows`, options);
  }
  const truths = kind.targets.map((target, at) => {
    const column = kind.columns[at] ?? '';
    return `(select ${kind.truths[at] ?? 'null'} from (select s."${column}" as a, t."${column}" as b, (r.id * 37 % 11 - 5) / 5.0 as noise) x) as "${target}"`;
  });
  const labels = `create table ${model}_truth as
    select r.id, r.at + interval '1 day' as known_at, ${truths.join(', ')}
      from ${model}_rows r join ${model}_said_1_history s using (id) join ${model}_said_2_history t using (id);
    alter table ${model}_truth add primary key (id)`;
  await alice.query(labels);
  await alice.query(`select pgscore.set_labels($1, $2::regclass, label => $3::text[], known_at => 'known_at')`, [
    model,
    `${model}_truth`,
    kind.targets,
  ]);
}

export const LABELLED = MONTHS * ROWS * COPIES;

/** Its air time is what version 2 said, and in April no more; its delay is what version 1 said. */
export const TIMES: Kind = {
  versions: ['linear_targets', 'trees_targets'],
  options: { targets: ['air_time', 'arr_delay'] },
  targets: ['air_time', 'arr_delay'],
  columns: ['air_time', 'arr_delay'],
  truths: ['b + noise + case r.m when 3 then 40 else 0 end', 'a + noise'],
};

/** Version 1 is right about lateness, and version 2 about long flights; each is wrong about a tenth. */
export const LATENESS: Kind = {
  versions: ['one_vs_rest', 'neighbours_labels'],
  options: { class_labels: ['departed_late', 'arrived_late', 'long flight'] },
  targets: ['departed_late', 'arrived_late', 'long flight'],
  columns: ['label_departed_late', 'label_arrived_late', 'label_long flight'],
  truths: ['a <> (noise = 1)', 'a <> (noise = 1)', 'b <> (noise = 1)'],
};

/** A model of three quantiles, whose truth lies about its middle one. */
export async function addQuantiles(ada: Client, alice: Client, model: string): Promise<void> {
  const file = 'test/models/values/boosted_quantiles.onnx';
  await deployModel(ada, model, file, { task: 'quantiles', targets: ['0.1', '0.5', '0.9'] });
  await ada.query(`select pgscore.grant_model($1, 'alice')`, [model]);
  await loadValueRows(alice, 'boosted_quantiles');
  const create = `create table ${model}_rows as
    select x.flight_id * 10 + m as id, '2026-01-05 12:00+00'::timestamptz + m * interval '1 month' as at, x.*
      from boosted_quantiles x, generate_series(0, ${MONTHS - 1}) m;
    alter table ${model}_rows add primary key (id)`;
  await alice.query(create);
  await scoreTable(alice, model, `${model}_rows`, { event_time: 'at', target: `${model}_said` });
  const truth = `create table ${model}_truth as
    select id, at + interval '1 day' as known_at, score + (id * 37 % 11 - 5) * 4 as delay from ${model}_said join ${model}_rows using (id);
    alter table ${model}_truth add primary key (id)`;
  await alice.query(truth);
  const labels = `select pgscore.set_labels($1, $2::regclass, label => 'delay', known_at => 'known_at')`;
  await alice.query(labels, [model, `${model}_truth`]);
}
