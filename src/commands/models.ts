import type { Command } from 'commander';
import { inDatabase } from './connection.ts';
import { databaseCommand, invocation } from './options.ts';
import { columns, printRows, printVersion } from './print.ts';

const DESCRIPTION = `Lists the deployed versions of every model, or describes one: what it takes and gives, which aliases point at it, and
why it was rejected if it was.`;

export function addModels(program: Command): void {
  databaseCommand(program, 'models')
    .summary('list the models, or describe one')
    .description(DESCRIPTION)
    .argument('[name]', 'churn (its champion, or without one its newest version), churn@3 or churn@challenger')
    .action((name: string | undefined, _options, command: Command) =>
      name === undefined ? list(command) : describe(command, name),
    );
}

function list(command: Command): Promise<void> {
  const others = columns('aliases, state, task, execution, deployed_by, deployed_at, reason');
  return printRows(command, {
    text: 'select * from pgscore.models order by model, version',
    shown: (row) => ({ version: `${String(row['model'])}@${Number(row['version'])}`, ...others(row) }),
    nothing: 'No model is deployed: pgscore deploy FILE --model NAME',
  });
}

async function describe(command: Command, name: string): Promise<void> {
  const { flags, output } = invocation(command);
  await inDatabase(flags, (client) => printVersion(client, output, name));
}
