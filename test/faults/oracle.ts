import { readFile } from 'node:fs/promises';
import { expect } from '@jest/globals';
import type { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import type { TestDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait-for.ts';

/** A finished run: the view that shows it, and the rows that its source had in its snapshot, with the key `id`. */
export type Scored = { readonly run: string; readonly view: string; readonly rows: number };

/**
 * What must hold after every fault, while a service runs that tidies up: one prediction a row, nothing half done, nothing
 * left behind.
 *
 * @param scored the runs whose predictions their target shows
 * @param gone processes that must have ended
 */
export async function expectSound(
  database: TestDatabase,
  { scored = [], gone = [] }: { scored?: Scored[]; gone?: number[] } = {},
): Promise<void> {
  await expectScored(database, scored);
  await expectEnded(gone);
  const superuser = await database.client();
  await expectNone(
    superuser,
    'unfinished runs',
    `select run_id from pgscore_data.run where state in ('queued', 'running')`,
  );
  await expectNone(superuser, 'shards', 'select run_id, shard, state, lease_until from pgscore_data.shard');
  await expectNone(superuser, 'generations that no run shows', UNPUBLISHED);
  await expectNone(superuser, 'partitions that no generation has', STRAY_PARTITIONS);
  await expectNone(superuser, 'transactions', OPEN_TRANSACTIONS);
}

/** One prediction for each row of the source. */
export async function expectScored(database: TestDatabase, scored: Scored[]): Promise<void> {
  const superuser = await database.client();
  for (const run of scored) await expectOnePredictionARow(superuser, run);
}

/** Processes that nobody waits for any more end by themselves. */
export async function expectEnded(pids: number[]): Promise<void> {
  await waitFor(async () => (await alive(pids)).length === 0, { message: `processes ${pids.join(', ')} to end` });
}

const UNPUBLISHED = `select target_id, generation, run_id, state from pgscore_data.generation where state <> 'published'`;

const STRAY_PARTITIONS = `
  select c.relname from pg_class c
   where c.relnamespace = 'pgscore_predictions'::regnamespace and c.relkind = 'r'
     and not exists (select from pgscore_data.generation g where c.relname = format('target_%s_g%s', g.target_id, g.generation))`;

/** Sessions of ours that read, are in a transaction or hold a snapshot back, other than for the moment of a control statement. */
const OPEN_TRANSACTIONS = `
  select pid, application_name, state, backend_xmin from pg_stat_activity
   where datname = current_database() and usename in ('pgscore_service', 'pgscore_reader')
     and (state like 'idle in transaction%' or state <> 'active' and backend_xmin is not null
          or xact_start < clock_timestamp() - interval '2 seconds' or usename = 'pgscore_reader' and state <> 'idle')`;

async function expectOnePredictionARow(superuser: Client, { run, view, rows }: Scored): Promise<void> {
  const count = `select count(*)::int as predictions, count(distinct id)::int as keys from ${view.split('.').map(ident).join('.')} where run_id = $1`;
  const { rows: counted } = await superuser.query(count, [run]);
  expect(counted).toEqual([{ predictions: rows, keys: rows }]);
}

/** The services, which poll, are given a while to tidy up. */
async function expectNone(superuser: Client, what: string, query: string): Promise<void> {
  let left: unknown[] = [];
  const none = async (): Promise<boolean> => {
    left = (await superuser.query(query)).rows;
    return left.length === 0;
  };
  await waitFor(none, { timeout: 15_000, message: `no ${what} to be left` }).catch((error: unknown) => {
    throw new Error(`${what} were left: ${JSON.stringify(left)}`, { cause: error });
  });
}

async function alive(pids: number[]): Promise<number[]> {
  const states = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)));
  // One that has ended stays on the list as Z until its parent asks for it.
  return pids.filter((_, at) => states[at] !== undefined && !/\) [ZX] /.test(states[at] ?? ''));
}
