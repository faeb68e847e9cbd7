import { readFileSync } from 'node:fs';

import type { Client } from 'pg';

import { addMonitoredModel, addRun, type MonitoredModel, type MonitoredPrediction } from '../monitored-model.ts';

export type Task = 'binary' | 'multiclass' | 'regression';
export type Grain = 'day' | 'week' | 'month';

type Row = [score: number, truth: number] | [truth: string, said: string, probabilities: number[]];
type Day = { set: string; date: string; undefined_reason: string | null; rows: Row[] };
type Values = Record<string, number | boolean | null>;
export type GoldenWindow = { grain: Grain; window_date: string; n_labeled: number; values: Values | null };
export type Golden = { days: Day[]; golden: GoldenWindow[] };

/** What golden/make.py wrote: sets of rows, one a day, and the values of each day, week and month. */
export function readGolden(task: Task): Golden {
  return JSON.parse(readFileSync(new URL(`${task}.json`, import.meta.url), 'utf8')) as Golden;
}

function judged(row: Row): { said: Omit<MonitoredPrediction, 'id' | 'at'>; truth: string | number } {
  const [first, second, probabilities] = row;
  if (typeof first === 'string') {
    return {
      said: { score: Math.max(...(probabilities ?? [])), label: second as string, probabilities: probabilities ?? [] },
      truth: first,
    };
  }
  return { said: { score: first }, truth: second };
}

/** A model named after its task whose predictions and labels are the golden rows. A day without rows has a prediction without a label. */
export async function stage(superuser: Client, alice: Client, task: Task): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, task, task);
  const table = `${task}_truth`;
  const create = `create table ${table} (id int primary key, known_at timestamptz, truth ${task === 'regression' ? 'float8' : 'text'})`;
  await alice.query(create);
  await alice.query(
    `select pgscore.set_labels($1, $2::regclass, label => 'truth', key => 'id', known_at => 'known_at')`,
    [task, table],
  );
  const predictions: MonitoredPrediction[] = [];
  const labels: [number, string, string | number][] = [];
  for (const { date, rows } of readGolden(task).days) {
    const at = `${date} 12:00:00+00`;
    for (const row of rows) {
      const id = predictions.length;
      const { said, truth } = judged(row);
      const called = task === 'binary' ? { label: said.score >= 0.5 ? 'yes' : 'no' } : {};
      predictions.push({ id, at, ...said, ...called });
      labels.push([id, at, task === 'binary' ? ['no', 'yes'][Number(truth)]! : truth]);
    }
    if (rows.length === 0) predictions.push({ ...predictions[0]!, id: predictions.length, at });
  }
  await addRun(superuser, model, predictions);
  const label = `insert into ${table} select (l ->> 0)::int, (l ->> 1)::timestamptz, (l ->> 2)${task === 'regression' ? '::float8' : ''} from jsonb_array_elements($1::jsonb) l`;
  await alice.query(label, [JSON.stringify(labels)]);
  await superuser.query('select pgscore.refresh()');
  return model;
}
