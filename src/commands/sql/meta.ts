import { readFile } from 'node:fs/promises';
import { PgscoreError } from '../../errors.ts';
import { unreadable } from '../model-file.ts';
import type { ShellActions } from './actions.ts';
import { columnsOf, FUNCTIONS, importLargeObject, TABLES } from './describe.ts';
import { allInputs } from './inputs.ts';

type Meta = {
  readonly usage: string;
  readonly help: string;
  run(shell: ShellActions, argument: string): Promise<void> | void;
};

const COMMANDS: Readonly<Record<string, Meta>> = {
  '\\d': {
    usage: '\\d [NAME]',
    help: 'columns of a table or view; without a name, as \\dt',
    run: (shell, name) => shell.show(name === '' ? TABLES : columnsOf(name)),
  },
  '\\dt': { usage: '\\dt', help: 'tables and views', run: (shell) => shell.show(TABLES) },
  '\\df': { usage: '\\df', help: 'functions of pgscore', run: (shell) => shell.show(FUNCTIONS) },
  '\\g': { usage: '…\\g', help: 'run the statement, as ; does', run: needsStatement },
  '\\gset': { usage: '…\\gset', help: 'run it and keep its one row in variables: :name', run: needsStatement },
  '\\set': {
    usage: '\\set NAME VALUE',
    help: 'a variable, used as :name, :\'name\' or :"name"',
    run: (shell, argument) => {
      const [name = '', ...value] = argument.split(/\s+/);
      shell.variables.set(name, value.join(' '));
    },
  },
  '\\echo': {
    usage: '\\echo TEXT',
    help: 'print a text',
    run: (shell, argument) => shell.print(shell.filled(argument)),
  },
  '\\i': { usage: '\\i FILE', help: 'run the statements of a file', run: include },
  '\\lo_import': {
    usage: '\\lo_import FILE',
    help: 'a file as a large object; its number is in :LASTOID',
    run: importFile,
  },
  '\\x': { usage: '\\x', help: 'one value a line, or tables again', run: (shell) => shell.toggle('expanded') },
  '\\timing': {
    usage: '\\timing',
    help: 'tell how long statements take, or do not',
    run: (shell) => shell.toggle('timing'),
  },
  '\\?': { usage: '\\?', help: 'this help', run: (shell) => shell.print(help()) },
  '\\q': { usage: '\\q', help: 'leave', run: (shell) => shell.leave() },
};

/** Runs a command to the shell, such as `\dt`. */
export async function runMeta(shell: ShellActions, text: string): Promise<void> {
  const [name = '', argument = ''] = text.split(/\s+(.*)/s);
  const meta = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (meta === undefined)
    throw new PgscoreError('usage', `${name} is not known`, { remedy: '\\? lists the commands.' });
  await meta.run(shell, argument.trim().replace(/;$/, ''));
}

function needsStatement(): never {
  throw new PgscoreError('usage', 'there is no statement to run', { remedy: 'Write it before the command.' });
}

async function include(shell: ShellActions, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => unreadable(file, cause));
  for (const input of allInputs(text)) await shell.run(input);
}

async function importFile(shell: ShellActions, file: string): Promise<void> {
  const bytes = await readFile(file).catch((cause: unknown) => unreadable(file, cause));
  const oid = await importLargeObject(shell.client, bytes);
  shell.variables.set('LASTOID', oid);
  shell.print(`lo_import ${oid}`);
}

function help(): string {
  const width = Math.max(...Object.values(COMMANDS).map(({ usage }) => usage.length));
  const lines = Object.values(COMMANDS).map(({ usage, help: text }) => `${usage.padEnd(width)}  ${text}`);
  return ['A statement ends with ; and may take several lines.', ...lines].join('\n');
}
