import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from } from 'pg-copy-streams';
import { ident } from '../src/lib/text.ts';
import { quantile, table, type Requirement } from './figures.ts';
import type { WatchPlan } from './plan.ts';
import { FEATURES, makeSource } from './stage.ts';

/** Of the triggers of a watch, and of triggers that do nothing. */
type Cost = { readonly watched: number; readonly empty: number };

/** What the triggers of a watch take of writers. */
export type WriterCost = {
  /** Microseconds of the backend that a statement of one row takes more. */
  readonly insert: Cost;
  readonly update: Cost;
  /** How many times as long the backend computes for statements of many rows. */
  readonly copyRatio: Cost;
  readonly unrelatedRatio: Cost;
};

/** The table that is watched; one whose triggers do nothing; one that has none. */
type Kind = 'watched' | 'empty' | 'plain';
type Tables = Readonly<Record<Kind, string>>;
const KINDS: readonly Kind[] = ['watched', 'empty', 'plain'];
const COPIED_AT_ONCE = 1000;

/** `plain`: a table like that which is made here to be watched, without triggers. */
export async function measureWriters(client: pg.Client, plain: string, plan: WatchPlan): Promise<WriterCost> {
  const tables: Tables = { watched: 'written', empty: 'triggered', plain };
  for (const name of [tables.watched, tables.empty]) {
    await makeSource(client, name, plan.rows);
    await addNotes(client, name);
  }
  await addEmptyTriggers(client, tables.empty);
  await client.query(`select pgscore.watch('trees', $1, target => 'written_live')`, [tables.watched]);
  // What scores would take the processors from who writes.
  await client.query(`select pgscore.pause_watch('written_live')`);
  await client.query('set synchronous_commit = off');
  try {
    return await measureStatements(client, tables, plan);
  } finally {
    await client.query(`select pgscore.unwatch('written_live')`);
    const drop = `drop table ${tables.watched}, ${tables.empty}; drop function do_nothing()`;
    await client.query(drop);
    await client.query('reset synchronous_commit');
  }
}

export async function addNotes(client: pg.Client, name: string): Promise<void> {
  const text = `alter table ${ident(name)} add note text`;
  await client.query(text);
}

/** What PostgreSQL itself takes for triggers like those of a watch: pinned to a search_path, with transition tables. */
async function addEmptyTriggers(client: pg.Client, name: string): Promise<void> {
  const create = `create function do_nothing() returns trigger language plpgsql security definer
      set search_path = pg_catalog, pg_temp as 'begin return null; end';
    create trigger inserted after insert on ${ident(name)} referencing new table as fresh
      for each statement execute function do_nothing();
    create trigger updated after update on ${ident(name)} referencing old table as stale new table as fresh
      for each statement execute function do_nothing()`;
  await client.query(create);
}

async function measureStatements(client: pg.Client, tables: Tables, plan: WatchPlan): Promise<WriterCost> {
  const { statements, bulk, copied, rounds } = plan;
  let next = 1_000_000_000;
  const runStatements = async (kind: 'insert' | 'update', name: string, text: string): Promise<void> => {
    for (let at = 0; at < statements; at += 1) {
      next += 1;
      await client.query({ name: `${kind}_${name}`, text, values: [next] });
    }
  };
  const columns = FEATURES.join(', ');
  const inserts = await compare(client, tables, rounds, (name) =>
    runStatements('insert', name, `insert into ${name} select $1::bigint, ${columns} from ${name} where id = 1`),
  );
  const updates = await compare(client, tables, rounds, (name) =>
    runStatements('update', name, `update ${name} set f0 = f0 + 1 where id = 1 + $1::bigint % 1000`),
  );
  const copies = await compare(client, tables, rounds, async (name) => {
    const text = `copy ${name} (id, ${columns}) from stdin`;
    await pipeline(Readable.from(lines(next, copied)), client.query(from(text)));
    next += copied;
  });
  const unrelated = await compare(client, tables, rounds, async (name) => {
    const text = `update ${name} set note = 'x' where id <= ${bulk}`;
    await client.query(text);
  });
  const more = ({ watched, empty, plain }: Taken): Cost => ({
    watched: (watched - plain) / statements / 1000,
    empty: (empty - plain) / statements / 1000,
  });
  const times = ({ watched, empty, plain }: Taken): Cost => ({ watched: watched / plain, empty: empty / plain });
  return { insert: more(inserts), update: more(updates), copyRatio: times(copies), unrelatedRatio: times(unrelated) };
}

function* lines(after: number, rows: number): Generator<string> {
  for (let at = 0; at < rows; at += COPIED_AT_ONCE) {
    const some = Math.min(COPIED_AT_ONCE, rows - at);
    yield Array.from(
      { length: some },
      (_, line) => `${after + at + line + 1}\t${FEATURES.map((_feature, n) => (line + n) % 7).join('\t')}\n`,
    ).join('');
  }
}

type Taken = Readonly<Record<Kind, number>>;

/** Nanoseconds that the backend computes for a statement on each table: medians over rounds, in turns. */
async function compare(
  client: pg.Client,
  tables: Tables,
  rounds: number,
  work: (name: string) => Promise<void>,
): Promise<Taken> {
  const taken: Record<Kind, number[]> = { watched: [], empty: [], plain: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const kind of KINDS) {
      const before = await computed(client);
      await work(tables[kind]);
      taken[kind].push((await computed(client)) - before);
    }
  const middle = (kind: Kind): number => quantile(taken[kind], 0.5);
  return { watched: middle('watched'), empty: middle('empty'), plain: middle('plain') };
}

/** Nanoseconds that the backend of a session has computed so far. */
async function computed(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return Number(readFileSync(`/proc/${rows[0]?.pid}/schedstat`, 'utf8').split(' ')[0]);
}

export function writerRequirements({ insert, update, copyRatio, unrelatedRatio }: WriterCost): Requirement[] {
  const line = (what: string, measured: string, met: boolean): Requirement => ({ what, measured, met });
  const micros = (value: number): string => `${value.toFixed(1)} µs`;
  return [
    line('the triggers take at most 15 µs of an insert', micros(insert.watched), insert.watched <= 15),
    line('and 45 µs of an update', micros(update.watched), update.watched <= 45),
    line('COPY takes at most 1.4 times as long', copyRatio.watched.toFixed(2), copyRatio.watched <= 1.4),
    line(
      'an update that nobody reads at most 1.3 times',
      unrelatedRatio.watched.toFixed(2),
      unrelatedRatio.watched <= 1.3,
    ),
  ];
}

export function writerTable({ insert, update, copyRatio, unrelatedRatio }: WriterCost): string {
  const micros = ({ watched, empty }: Cost): string[] => [`${watched.toFixed(1)} µs`, `${empty.toFixed(1)} µs`];
  const times = ({ watched, empty }: Cost): string[] => [watched.toFixed(2), empty.toFixed(2)];
  return table(
    ['backend CPU time more than without triggers', 'a watch', 'triggers that do nothing'],
    [
      ['an insert of one row', ...micros(insert)],
      ['an update of one row', ...micros(update)],
      ['COPY, times as long', ...times(copyRatio)],
      ['an update that nobody reads, times as long', ...times(unrelatedRatio)],
    ],
  );
}
