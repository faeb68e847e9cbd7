import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { packageFile } from '../../lib/package-file.ts';
import { followRun } from '../follow-run.ts';
import { type Output, resultTable, type Row, spin } from '../output.ts';
import type { Person } from './server.ts';

/** One thing that happens in the demo: who does it, what it is for, and the SQL. */
export type Step = {
  readonly who: 'dana' | 'ana';
  readonly say: string;
  readonly sql: string;
  /** A model file of demo/models whose bytes are the statement's one parameter. */
  readonly file?: string;
  /** The statement returns a run, to be followed with a progress bar until it ends. */
  readonly run?: true;
  /** The statement asks for the accuracy of this model: its labels are to be counted first. */
  readonly accuracyOf?: string;
  /** The statement asks for what the service finds out in the background: wait until this returns a row. */
  readonly after?: string;
  /** The statement is refused, which is the point. */
  readonly refused?: true;
};

const MODELS = packageFile('demo/models');

const PAUSE_MS = 200;
const TRIES = 150;

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
    // Who deploys models need not be allowed to read metrics.
    const ana = clients.get('ana');
    if (step.after !== undefined && ana !== undefined) await found(ana, step.after, output);
    if (client !== undefined) await tellStep(step, client, output);
  }
}

async function tellStep(step: Step, client: pg.Client, output: Output): Promise<void> {
  if (step.accuracyOf !== undefined) await labelsCounted(client, step.accuracyOf, output);
  if (step.say !== '') output.note(`\n-- ${step.say}`);
  output.note(`${step.who}=> ${step.sql.replace('$1', `'\\x…' /* demo/models/${step.file} */`)};`);
  const values = step.file === undefined ? [] : [await readFile(join(MODELS, step.file))];
  if (step.refused === true) return tellRefusal(client, step.sql, output);
  const { rows } = await client.query<Row>(step.sql, values);
  if (rows.length > 0 && !isVoid(rows)) output.note(resultTable(rows.slice(0, MOST_ROWS)));
  const run = rows[0]?.['run'];
  if (step.run === true && typeof run === 'number') await followRun(client, run, output);
}

/** Waits until the labels that a model has now are in its accuracy views; says so where it takes long, and where it takes too long. */
async function labelsCounted(client: pg.Client, model: string, output: Output): Promise<void> {
  const settled = `select from pgscore.label_sources where model = ${client.escapeLiteral(model)} and is_settled`;
  if (await returnsRow(client, settled, output, `counting the labels of ${model}`)) return;
  output.note(`The labels of ${model} are still being counted: what follows is of those that are.`);
}

/** Waits until a query returns a row; says so where that takes too long. */
async function found(client: pg.Client, query: string, output: Output): Promise<void> {
  if (await returnsRow(client, query, output, 'comparing')) return;
  output.note('Versions are still being compared: what follows is what is known so far.');
}

async function returnsRow(client: pg.Client, query: string, output: Output, doing: string): Promise<boolean> {
  const returns = async (): Promise<boolean> => ((await client.query(query)).rowCount ?? 0) > 0;
  if (await returns()) return true;
  const done = spin(output, doing);
  try {
    for (let tries = 0; tries < TRIES; tries += 1) {
      await setTimeout(PAUSE_MS);
      if (await returns()) return true;
    }
    return false;
  } finally {
    done();
  }
}

/** Shows the error of a statement that is to fail. */
async function tellRefusal(client: pg.Client, sql: string, output: Output): Promise<void> {
  const error = await client.query(sql).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof pg.DatabaseError)) throw error ?? new Error(`was not refused: ${sql}`);
  const more = [error.detail && `DETAIL:  ${error.detail}`, error.hint && `HINT:  ${error.hint}`];
  output.note([`ERROR:  ${error.message}`, ...more.filter(Boolean)].join('\n'));
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
