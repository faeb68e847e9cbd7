import type { Command } from 'commander';
import type { Flags } from '../config.ts';
import { flagsOf, settingOption } from './options.ts';
import { outputTo, type Output } from './output.ts';

/** What a command was called with, besides its own arguments. */
export type Invocation = { readonly flags: Flags; readonly output: Output };

export function invocation(command: Command): Invocation {
  const json = command.optsWithGlobals<{ json?: boolean }>().json === true;
  return { flags: flagsOf(command), output: outputTo(process, json) };
}

/** A new command that works in a database and can answer in JSON. */
export function databaseCommand(parent: Command, name: string): Command {
  return parent
    .command(name)
    .addOption(settingOption('databaseUrl'))
    .option('--json', 'print the result, or the error, as one JSON document');
}
