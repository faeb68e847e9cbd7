import { type Command, Option } from 'commander';
import { type Flags, OPTIONS, type OptionName, type OptionSpec } from '../config.ts';
import { outputTo, type Output } from './output.ts';
import { PgscoreError } from '../errors.ts';

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

/** A command that has commands of its own. */
export function commandGroup(program: Command, name: string, summary: string, description: string): Command {
  return program
    .command(name)
    .helpCommand(false)
    .helpOption('--help', 'print this help')
    .summary(summary)
    .description(description);
}

/** A setting of config.ts as an option of a command. */
export function settingOption(name: OptionName): Option {
  const { flag, env, kind, fallback, help }: OptionSpec = OPTIONS[name];
  const value = kind === 'text' ? (flag.split('-').at(-1) ?? 'text') : kind === 'integer' ? 'n' : kind;
  const known = fallback === undefined ? env : `${env}, else ${fallback}`;
  return new Option(kind === 'boolean' ? flag : `${flag} <${value}>`, `${help} (${known})`);
}

/** The settings among the options that a command was given. */
export function flagsOf(command: Command): Flags {
  const given = command.optsWithGlobals<Record<string, string | boolean | undefined>>();
  const entries = Object.entries(OPTIONS).flatMap(([name, { flag }]) => {
    const value = given[new Option(flag).attributeName()];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

/** The options of a command without those of databaseCommand(), which functions of the client do not have. */
export function ownOptions<Options extends object>(options: Options): Options {
  const own = Object.entries(options).filter(([name]) => name !== 'databaseUrl' && name !== 'json');
  return Object.fromEntries(own) as Options;
}

/** A list with commas, or a JSON array where a name holds a comma itself. */
export function namesOption(flags: string, help: string): Option {
  return parsedOption(flags, help, (text, flag) => {
    if (!text.trimStart().startsWith('[')) return text.split(',').map((name) => name.trim());
    const names = parsedJson(text, flag);
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
    throw new PgscoreError('usage', `${flag} is not an array of names`, { remedy: 'Write a,b or ["a","b"].' });
  });
}

export function jsonOption(flags: string, help: string): Option {
  return parsedOption(flags, help, parsedJson);
}

export function numberOption(flags: string, help: string): Option {
  return parsedOption(flags, help, (text, flag) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new PgscoreError('usage', `${flag} is "${text}"`, { remedy: 'Give a number.' });
  });
}

/** An option that counts something. */
export function countOption(flags: string, help: string): Option {
  return parsedOption(flags, help, (text, flag) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new PgscoreError('usage', `${flag} is "${text}"`, { remedy: 'Give a whole number.' });
  });
}

function parsedOption(flags: string, help: string, parsed: (text: string, flag: string) => unknown): Option {
  const option = new Option(flags, help);
  return option.argParser((text) => parsed(text, option.long ?? flags));
}

function parsedJson(text: string, flag: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PgscoreError('usage', `${flag} is not JSON: ${text}`, {
      remedy: `Quote it for the shell: ${flag} '{"name": "value"}'.`,
      cause,
    });
  }
}

/** The number of a run, as the commands print it. */
export function runArgument(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new PgscoreError('usage', `"${text}" is not the number of a run`, { remedy: 'pgscore runs lists them.' });
}

/** How a source is read, and where its predictions go. */
export function addReadOptions(command: Command): Command {
  return command
    .option('--target <name>', 'view with the latest prediction for each key (default: the source and _scores)')
    .option('--target-schema <schema>', 'where it is (default: your current schema)')
    .addOption(namesOption('--key <a,b>', 'columns that identify a row (default: the primary key)'))
    .option('--event-time <column>', 'column that says what time a prediction is for')
    .addOption(jsonOption('--column-map <json>', 'columns of features that have another name: {"feature": "column"}'))
    .option(
      '--rls <rule>',
      'error or filter: fail where a row-level policy hides rows, or score those you see (default: error)',
    );
}

/** Options of addReadOptions(), and those of a run over the whole source. */
export function addSourceOptions(command: Command): Command {
  return addReadOptions(command)
    .option('--publish', 'show the predictions as the latest ones, though the version is not champion')
    .option('--no-publish', 'keep the predictions to the history')
    .addOption(
      countOption('--error-limit <n>', 'failed rows beyond which the run fails (default: the larger of 1 % and 1,000)'),
    )
    .option('--only-changed', 'score only rows that are new or changed since the last such run into the target');
}
