import type { Client } from 'pg';

import type { MonitoredModel } from '../monitored-model.ts';

export type Task = 'binary' | 'multiclass' | 'regression';

/** A model of a test, with what its predictions look like. */
export type Watched = MonitoredModel & {
  readonly name: string;
  readonly task: Task;
  /** Target of its predictions. */
  readonly target: string;
};

/** What a version says of a row. */
export type Said = {
  readonly score: number;
  readonly label: string | null;
  readonly probabilities: readonly number[] | null;
};

/** What the version of a test says where its model gives the number x of 0 to 1. */
export function said(task: Task, x: number): Said {
  if (task === 'regression') return { score: x, label: null, probabilities: null };
  if (task === 'binary') return { score: x, label: x >= 0.5 ? 'yes' : 'no', probabilities: null };
  const probabilities = [x, (1 - x) * 0.75, (1 - x) * 0.25];
  const score = Math.max(...probabilities);
  return { score, label: 'abc'.charAt(probabilities.indexOf(score)), probabilities };
}

/** What can be true of an entity. */
export const TRUTHS: Readonly<Record<Task, readonly string[]>> = {
  binary: ['no', 'yes'],
  multiclass: ['a', 'b', 'c'],
  regression: ['0.25', '7'],
};

let targets = 0;

/** The same model with an empty target. */
export async function withNewTarget(superuser: Client, model: Watched): Promise<Watched> {
  targets += 1;
  const target = `${model.name}_again${targets}`;
  const classes = model.task === 'binary' ? ['no', 'yes'] : model.task === 'multiclass' ? ['a', 'b', 'c'] : [];
  await superuser.query('set role alice');
  const { rows } = await superuser.query<{ targetId: number }>(
    `insert into pgscore._target_request (view_schema, view_name, task, key_columns, class_labels)
     values ('alice', $1, $2, '[{"name": "id", "sql_type": "integer"}]', $3) returning target_id as "targetId"`,
    [target, model.task, classes],
  );
  await superuser.query('reset role');
  const [made] = rows;
  if (made === undefined) throw new Error('the target was not made');
  return { ...model, ...made, target };
}
