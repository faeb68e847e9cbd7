import type { Client } from 'pg';

import { waitFor } from './wait-for.ts';

/**
 * Creates pause(), where whichever statement is planned waits while `whilePlanned()` acts; PostgreSQL then hears of what
 * others did, as it locks a table.
 */
export async function createPause(client: Client): Promise<void> {
  await client.query('create table news ()');
  await client.query(`create function pause() returns float8 immutable language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(36); return (select null from news); end'`);
}

/** Waits until somebody waits for the lock. */
export async function lockAwaited(superuser: Client, lock: number): Promise<void> {
  const waiting = `select from pg_locks where locktype = 'advisory' and objid = $1 and not granted
      and database = (select oid from pg_database where datname = current_database())`;
  await waitFor(async () => (await superuser.query(waiting, [lock])).rows.length > 0);
}

/** What a statement with pause() in it gives, where `act` is done in the middle of its planning. */
export async function whilePlanned<T>(
  superuser: Client,
  ask: () => Promise<T>,
  act: () => Promise<unknown>,
): Promise<T> {
  await superuser.query('select pg_advisory_lock(36)');
  const asked = ask();
  try {
    await lockAwaited(superuser, 36);
    await act();
  } finally {
    await superuser.query('select pg_advisory_unlock(36)');
  }
  return asked;
}

type Query = string | { readonly name: string; readonly text: string };

type PromotedSum = {
  readonly promote: (version: number) => Promise<unknown>;
  /** The different answers that one execution gave, of its column `answers`. */
  readonly answers: (query: Query) => Promise<number[]>;
  /** The same of one that is planned while the second version is promoted. */
  readonly answersWhilePromoted: (query: Query) => Promise<number[]>;
};

/** The model `sum`, whose versions ada promotes while alice asks. */
export function promotedSum({ superuser, ada, alice }: Record<'superuser' | 'ada' | 'alice', Client>): PromotedSum {
  const promote = (version: number): Promise<unknown> => ada.query('select pgscore.promote($1)', [`sum@${version}`]);
  const answers = async (query: Query): Promise<number[]> => {
    const { rows } = await alice.query<{ answers: number[] }>(query);
    return [...new Set(rows.flatMap((row) => row.answers))];
  };
  const answersWhilePromoted = (query: Query): Promise<number[]> =>
    whilePlanned(
      superuser,
      () => answers(query),
      () => promote(2),
    );
  return { promote, answers, answersWhilePromoted };
}
