import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type pg from 'pg';
import { setting } from '../config.ts';
import { connect } from '../db/connect.ts';
import { PgscoreError } from '../errors.ts';
import { asOwner } from '../install/as-owner.ts';
import { dropRoles } from '../install/drop-roles.ts';
import type { DroppedRoles } from '../install/drop-roles.ts';
import { readHoldings } from '../install/holdings.ts';
import type { Holdings } from '../install/holdings.ts';
import { installationState, notInstalled } from '../install/installation.ts';
import { uninstall } from '../install/uninstall.ts';
import { databaseCommand, invocation } from './invocation.ts';
import type { Output } from './output.ts';
import { withClient } from './session.ts';

const DESCRIPTION = `Takes pgscore out of a database: models, predictions, runs, schedules, everything.

It says first what there is, and asks for the name of the database. The views over predictions that it made for users,
and what users built on them, fall with it: it lists them and goes on only with --cascade. The tables that were scored
are not touched. Run it as a member of pgscore_owner.`;

type Options = { yes?: boolean; cascade?: boolean; roles?: boolean };

export function addUninstall(program: Command): void {
  databaseCommand(program, 'uninstall')
    .summary('take pgscore out of a database')
    .description(DESCRIPTION)
    .option('--yes', 'do not ask')
    .option('--cascade', 'drop what users built on pgscore as well')
    .option('--roles', 'drop the roles of pgscore too, where no other database needs them')
    .action(async (options: Options, command: Command) => {
      const { flags, output } = invocation(command);
      const connecting = connect({ url: setting('databaseUrl', flags), applicationName: 'pgscore uninstall' });
      await withClient(connecting, (client) => takeOut(client, options, output));
    });
}

async function takeOut(client: pg.Client, options: Options, output: Output): Promise<void> {
  const database = client.database ?? '';
  const holdings = await asOwner(client, async () => {
    if ((await installationState(client)) === 'missing') throw notInstalled(database);
    return readHoldings(client);
  });
  output.note(holdingsText(database, holdings));
  refuse(holdings, options);
  if (options.yes !== true) await confirm(database, output);
  await uninstall(client);
  const roles = options.roles === true ? await dropRoles(client) : { dropped: [], kept: [] };
  output.result({ database, ...holdings, roles }, () => doneText(database, roles, options.roles === true));
}

function holdingsText(database: string, holdings: Holdings): string {
  const { models, versions, runs, schedules, targets, predictions, dependents } = holdings;
  const lines = [
    `Database "${database}" holds ${counted(models, 'model')} with ${counted(versions, 'version')}, ${counted(runs, 'run')}, ${counted(schedules, 'schedule')}, and ${counted(targets, 'target')} with ${counted(predictions, 'prediction')}.`,
  ];
  if (dependents.length > 0) lines.push('With it fall:', ...dependents.map((description) => `  ${description}`));
  return lines.join('\n');
}

function refuse({ services, dependents }: Holdings, options: Options): void {
  if (services > 0) {
    throw new PgscoreError('uninstall_refused', `${counted(services, 'service')} still at work on this database`, {
      remedy: 'Stop pgscore serve first; select * from pgscore.workers shows where.',
    });
  }
  if (dependents.length === 0 || options.cascade === true) return;
  throw new PgscoreError(
    'uninstall_refused',
    `${counted(dependents.length, 'object')} of users would fall with pgscore: ${dependents.join(', ')}`,
    {
      remedy: 'Add --cascade to drop them too.',
    },
  );
}

async function confirm(database: string, output: Output): Promise<void> {
  if (!output.terminal || !process.stdin.isTTY) {
    throw new PgscoreError('usage', 'nothing was dropped: there is no terminal to ask on', { remedy: 'Add --yes.' });
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question('All of it will be gone. Type the name of the database to go on: ');
  lines.close();
  if (answer.trim() === database) return;
  throw new PgscoreError('usage', `nothing was dropped: "${answer.trim()}" is not "${database}"`, {
    remedy: 'Run it again if you meant to.',
  });
}

function doneText(database: string, { dropped, kept }: DroppedRoles, rolesAsked: boolean): string {
  return [
    `pgscore is out of database "${database}".`,
    ...(dropped.length === 0 ? [] : [`Dropped roles ${dropped.join(', ')}.`]),
    ...kept.map(({ role, reason }) => `Kept role ${role}: ${reason}`),
    ...(rolesAsked ? [] : ['Its roles are still there; --roles would have dropped them.']),
  ].join('\n');
}

function counted(number: number, thing: string): string {
  return `${number.toLocaleString('en')} ${thing}${number === 1 ? '' : 's'}`;
}
