import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { PgscoreError } from '../../errors.ts';
import { unreadable } from '../../client/model-file.ts';
import { allInputs, type Input, type Variables, tokensOf } from './inputs.ts';
import type { TextResult } from './result.ts';

/** What the shell knows to ask the catalogue, as statements with their values. */
export type Question = { readonly text: string; readonly values: readonly unknown[] };

/** Tables and views that the role may read, but those of the system and the private ones of pgscore. */
const TABLES: Question = {
  text: `select n.nspname as schema, c.relname as name,
                case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
                               when 'm' then 'materialised view' else 'foreign table' end as type,
                pg_catalog.pg_get_userbyid(c.relowner) as owner,
                pg_catalog.split_part(pg_catalog.obj_description(c.oid, 'pg_class'), '. ', 1) as description
           from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
            and n.nspname not in ('pg_catalog', 'information_schema', 'pgscore_data', 'pgscore_predictions', 'pgscore_sources')
            and n.nspname !~ '^pg_' and (n.nspname <> 'pgscore' or c.relname !~ '^_')
            and pg_catalog.has_schema_privilege(n.oid, 'usage')
            and pg_catalog.has_any_column_privilege(c.oid, 'select')
          order by 1, 2`,
  values: [],
};

/** The functions of pgscore, with the first sentence of what they do. */
const FUNCTIONS: Question = {
  text: `select n.nspname || '.' || p.proname as name, pg_catalog.pg_get_function_arguments(p.oid) as arguments,
                coalesce(pg_catalog.pg_get_function_result(p.oid), 'procedure') as returns,
                pg_catalog.split_part(pg_catalog.obj_description(p.oid, 'pg_proc'), E'\\n', 1) as description
           from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
          where n.nspname = 'pgscore' and p.proname !~ '^_'
          order by 1, 2`,
  values: [],
};

/** The columns of a table or view. */
function columnsOf(relation: string): Question {
  return {
    text: `select a.attname as column, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
                  case when a.attnotnull then 'not null' end as null,
                  pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default,
                  pg_catalog.col_description(a.attrelid, a.attnum) as description
             from pg_catalog.pg_attribute a
             left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = $1::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped
            order by a.attnum`,
    values: [relation],
  };
}

/** The large object that a file became, as `\lo_import` of psql makes it. */
async function importLargeObject(client: pg.ClientBase, bytes: Buffer): Promise<string> {
  const { rows } = await client.query<{ oid: string }>('select pg_catalog.lo_from_bytea(0, $1)::text as oid', [bytes]);
  const oid = rows[0]?.oid;
  if (oid === undefined) throw new PgscoreError('internal', 'lo_from_bytea() returned nothing');
  return oid;
}

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

/** What a command of the shell, such as `\dt`, may do. */
export type ShellActions = {
  readonly client: pg.Client;
  readonly variables: Variables;
  print(text: string): void;
  /** A text with the variables in their places. */
  filled(text: string): string;
  /** Prints the answer of the catalogue. */
  show(question: Question): Promise<void>;
  run(input: Input): Promise<void>;
  toggle(what: 'expanded' | 'timing'): void;
  leave(): void;
};

/** Keeps the values of the one row of a result in variables named like its columns, after `prefix`; NULL unsets one. */
export function keepRow({ rows, fields }: TextResult, variables: Variables, prefix: string): void {
  const [row, ...more] = rows;
  if (row === undefined || more.length > 0) {
    throw new PgscoreError('usage', `the statement gave ${rows.length} rows; \\gset keeps one`, {
      remedy: 'Add a condition or LIMIT 1.',
    });
  }
  fields.forEach(({ name }, index) => {
    const value = row[index] ?? null;
    if (value === null) variables.delete(prefix + name);
    else variables.set(prefix + name, value);
  });
}

/** COPY from or to the client has a protocol of its own, which this shell does not speak. */
export function refuseCopy(statement: string): void {
  const words = tokensOf(statement).flatMap(({ kind, text }) => (kind === 'word' ? [text.toLowerCase()] : []));
  if (words[0] !== 'copy' || !words.some((word) => word === 'stdin' || word === 'stdout')) return;
  throw new PgscoreError('usage', 'this shell does not speak COPY from or to the client', {
    remedy: 'Use psql for it.',
  });
}
