import type { Command } from 'commander';
import type pg from 'pg';
import { catalog, rowsOf } from '../postgres/catalog.ts';
import { databaseCommand, invocation } from './options.ts';
import { listOf, tableOf, type Row } from './output.ts';
import { inDatabase } from './connection.ts';

const DESCRIPTION = `Lists the deployed versions of every model, or describes one: what it takes and gives, which aliases point at it, and
why it was rejected if it was.`;

export function addModels(program: Command): void {
  databaseCommand(program, 'models')
    .summary('list the models, or describe one')
    .description(DESCRIPTION)
    .argument('[name]', 'churn (its champion, or without one its newest version), churn@3 or churn@challenger')
    .action(async (name: string | undefined, _options, command: Command) => {
      const { flags, output } = invocation(command);
      if (name === undefined) {
        const models = await inDatabase(flags, listModels);
        output.result(models, () =>
          tableOf(models.map(briefly), 'No model is deployed: pgscore deploy FILE --model NAME'),
        );
      } else {
        const model = await inDatabase(flags, (client) => describeModel(client, name));
        output.result(model, () => listOf(model));
      }
    });
}

const everyVersion = catalog.selectFrom('pgscore.models').selectAll().orderBy('model').orderBy('version');

type Model = Awaited<ReturnType<typeof listModels>>[number];

function listModels(client: pg.Client) {
  return rowsOf(client, everyVersion);
}

function briefly({ model, version, aliases, state, task, execution, deployed_by, deployed_at, reason }: Model): Row {
  return { version: `${model}@${version}`, aliases, state, task, execution, deployed_by, deployed_at, reason };
}

/** The properties of a version by name, as pgscore.describe_model() gives them; raises where there is none. */
export async function describeModel(client: pg.Client, name: string): Promise<Row> {
  const { rows } = await client.query<{ property: string; value: string }>('select * from pgscore.describe_model($1)', [
    name,
  ]);
  return Object.fromEntries(rows.map(({ property, value }) => [property, value]));
}

/** Rows of a model; where there are none, raises if there is no such model, as a misspelt name would look like one without rows. */
export async function rowsOfModel<Row>(client: pg.Client, model: string | undefined, rows: Row[]): Promise<Row[]> {
  if (rows.length === 0 && model !== undefined) await describeModel(client, model);
  return rows;
}
