import type { Command } from 'commander';
import type { Argument } from '../client/connection.ts';
import { countOption, databaseCommand } from './options.ts';
import { printCall, printRows } from './print.ts';

const PROMOTE = `Makes a ready version the champion of its model: the one that a bare model name means, from now on. It must pass the gates of
the model: pgscore gates check.`;

type PromoteOptions = { force?: boolean; reason?: string };

/** The commands that change which version of a model serves. */
export function addVersionCommands(program: Command): void {
  databaseCommand(program, 'promote')
    .summary('make a version the champion of its model')
    .description(PROMOTE)
    .argument('<version>', 'such as churn@2')
    .option('--force', 'also where it does not pass a gate; needs --reason')
    .option('--reason <text>', 'why, for the log of changes')
    .action((version: string, options: PromoteOptions, command: Command) =>
      change(command, 'pgscore.promote', promoteArguments(version, options), (name) => `${name} is the champion.`),
    );
  databaseCommand(program, 'rollback')
    .summary('go back to the champion before')
    .description('Makes the champion before the present one champion again. Called again, it goes further back.')
    .argument('<model>', 'such as churn')
    .action((model: string, _options, command: Command) =>
      change(command, 'pgscore.rollback', [['model', 'text', model]], (name) => `${name} is the champion again.`),
    );
  databaseCommand(program, 'alias')
    .summary('give a version a name that can move')
    .description('Points an alias at a ready version: after `pgscore alias churn@3 challenger` it is churn@challenger.')
    .argument('<version>', 'such as churn@3')
    .argument('<alias>', 'such as challenger')
    .action((version: string, alias: string, _options, command: Command) =>
      change(command, 'pgscore.set_alias', aliasArguments(version, alias), (name) => `${name} is now "${alias}".`),
    );
}

function promoteArguments(version: string, { force, reason }: PromoteOptions): Argument[] {
  return [
    ['version', 'text', version],
    ['force', 'boolean', force],
    ['reason', 'text', reason],
  ];
}

function aliasArguments(version: string, alias: string): Argument[] {
  return [
    ['version', 'text', version],
    ['alias', 'text', alias],
  ];
}

function change(
  command: Command,
  name: string,
  args: readonly Argument[],
  message: (version: string) => string,
): Promise<void> {
  return printCall(command, name, args, (version) => [{ version }, message(String(version))]);
}

const DESCRIPTION = `Lists who changed models and when, the newest first, for members of pgscore_deployer.

Of a promotion that was forced, detail has the reason and the gates that the version did not pass.`;

export function addAudit(program: Command): void {
  databaseCommand(program, 'audit')
    .summary('list who changed models, when and why')
    .description(DESCRIPTION)
    .argument('[model]', 'of one model')
    .addOption(countOption('--limit <n>', 'how many changes, the newest first').default(100))
    .action((model: string | undefined, { limit }: { limit: number }, command: Command) =>
      printRows(command, {
        text: `select at, actor, action, model, version, detail from pgscore.audit
         where $1::text is null or model = $1 order by at desc limit $2`,
        values: [model ?? null, limit],
        model,
        nothing: 'Nothing was changed yet.',
      }),
    );
}
