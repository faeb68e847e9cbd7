import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { packageFile } from '../../lib/package-file.ts';
import { followRun } from '../follow-run.ts';
import { type Output, resultTable, type Row, spin } from '../output.ts';
import type { Person } from './server.ts';
import type { Step } from './story.ts';

const MODELS = packageFile('demo/models');

const LABEL_PAUSE_MS = 100;
const LABEL_TRIES = 300;

/** Rows of a table that are shown; a terminal is not a report. */
const MOST_ROWS = 12;

/** Tells the story step by step: what is done, the SQL, its result. Raises the first error. */
export async function tellStory(
  steps: readonly Step[],
  clients: ReadonlyMap<Person, pg.Client>,
  output: Output,
): Promise<void> {
  for (const step of steps) {
    const client = clients.get(step.who);
    if (client !== undefined) await tellStep(step, client, output);
  }
}

async function tellStep(step: Step, client: pg.Client, output: Output): Promise<void> {
  if (step.accuracyOf !== undefined) await labelsCounted(client, step.accuracyOf, output);
  if (step.say !== '') output.note(`\n-- ${step.say}`);
  output.note(`${step.who}=> ${step.sql.replace('$1', `'\\x…' /* demo/models/${step.file} */`)};`);
  const values = step.file === undefined ? [] : [await readFile(join(MODELS, step.file))];
  const { rows } = await client.query<Row>(step.sql, values);
  if (rows.length > 0 && !isVoid(rows)) output.note(resultTable(rows.slice(0, MOST_ROWS)));
  const run = rows[0]?.['run'];
  if (step.run === true && typeof run === 'number') await followRun(client, run, output);
}

/** Waits until the labels that a model has now are in its accuracy views; says so where it takes long, and where it takes too long. */
async function labelsCounted(client: pg.Client, model: string, output: Output): Promise<void> {
  const counted = 'select is_settled from pgscore.label_sources where model = $1 and is_settled';
  const settled = async (): Promise<boolean> => (await client.query(counted, [model])).rowCount === 1;
  if (await settled()) return;
  const done = spin(output, `counting the labels of ${model}`);
  try {
    for (let tries = 0; tries < LABEL_TRIES; tries += 1) {
      await setTimeout(LABEL_PAUSE_MS);
      if (await settled()) return;
    }
  } finally {
    done();
  }
  output.note(`The labels of ${model} are still being counted: what follows is of those that are.`);
}

/** A function that returns nothing still gives a row. */
function isVoid(rows: readonly Row[]): boolean {
  return rows.every((row) => Object.values(row).every((value) => value === ''));
}

/** What the demo ends with: how much was scored, how fast, and how right it was. */
export type DemoSummary = {
  readonly rows_scored: number;
  readonly rows_per_second: number;
  /** Share of flights whose lateness was predicted rightly. */
  readonly accuracy: number;
  /** Area under the ROC curve: the probability that a late flight has a higher score than one on time. */
  readonly roc_auc: number;
};

/** AUC by ranks (Mann-Whitney): (sum of ranks of the positives - P (P + 1) / 2) / (P N), ties at their mean rank. */
const SUMMARY = `
with scored as (
  select p.score, (p.label = '1') = a.was_late as correct, a.was_late
    from flight_delay_scores p join flight_arrivals a using (flight_id) where p.score is not null
), ranked as (
  select was_late, correct, rank() over (order by score) + (count(*) over (partition by score) - 1) / 2.0 as rank from scored
)
select count(*)::int as rows_scored, avg(correct::int)::float8 as accuracy,
       ((sum(rank) filter (where was_late) - p * (p + 1) / 2.0) / (p * (count(*) - p)))::float8 as roc_auc,
       (select r.rows_per_second from pgscore.runs r where r.target like '%.flight_delay_scores' and r.state = 'done' order by r.run desc limit 1) as rows_per_second
  from ranked cross join lateral (select count(*) as p from scored where was_late) positives
 group by p`;

export async function summarise(client: pg.Client): Promise<DemoSummary | undefined> {
  const { rows } = await client.query<DemoSummary>(SUMMARY);
  return rows[0];
}
