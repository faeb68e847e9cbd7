import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { packageFile } from '../../lib/package-file.ts';
import { followRun } from '../follow-run.ts';
import type { Output } from '../output.ts';
import { resultTable, type Row } from '../records.ts';
import { spin } from '../spinner.ts';
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
