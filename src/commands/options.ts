import { Option } from 'commander';
import type { Command } from 'commander';
import { OPTIONS } from '../config.ts';
import type { Flags, OptionName, OptionSpec } from '../config.ts';
import { PgscoreError } from '../errors.ts';

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

/** A list with commas, or a JSON array where a name holds a comma itself. */
export function namesOption(flag: string) {
  return (text: string): string[] => {
    if (!text.trimStart().startsWith('[')) return text.split(',').map((name) => name.trim());
    const names = jsonOption(flag)(text);
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
    throw new PgscoreError('usage', `${flag} is not an array of names`, { remedy: 'Write a,b or ["a","b"].' });
  };
}

export function jsonOption(flag: string) {
  return (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new PgscoreError('usage', `${flag} is not JSON: ${text}`, {
        remedy: `Quote it for the shell: ${flag} '{"name": "value"}'.`,
        cause,
      });
    }
  };
}

export function numberOption(flag: string) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new PgscoreError('usage', `${flag} is "${text}"`, { remedy: 'Give a number.' });
  };
}

/** The number of a run, as the commands print it. */
export function runArgument(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new PgscoreError('usage', `"${text}" is not the number of a run`, { remedy: 'pgscore runs lists them.' });
}
