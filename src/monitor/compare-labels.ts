import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from, to } from 'pg-copy-streams';
import { connect } from '../postgres/connect.ts';
import { disconnect } from '../postgres/disconnect.ts';
import { statement } from '../postgres/statement.ts';
import { qualified } from '../lib/ident.ts';
import { answerRequests, claimComparison, endComparison, type Comparison } from './claim-comparison.ts';

/** How labels are spelled everywhere: as the triggers write them. A source may not be read for as long as the lease of its comparison. */
const SPELLING = {
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  extra_float_digits: '1',
  lock_timeout: '10s',
  statement_timeout: '9min',
};

const INTO = 'copy pgscore_data.compared_label (source_id, key, known_at, label) from stdin';

const queueDifferences = statement<[sourceId: number, seen: string, seenAt: string], { rows: string }>(
  'queue_differences',
  'select pgscore_data._compare_labels($1, $2, $3) as rows',
);

/** What became of a comparison, to be logged. */
export type Compared =
  | { readonly model: string; readonly rows: number }
  | { readonly model: string; readonly error: unknown };

/** What is read later sees at least as much as this snapshot. */
type Seen = { snapshot: string; at: string };

/**
 * Reads one source of labels whose turn it is with its owner's rights, and queues what differs from what is known. Nothing
 * where no source's turn it is.
 */
export async function compareLabels(service: pg.Client, readerUrl: string | undefined): Promise<Compared | undefined> {
  const [comparison] = await claimComparison(service);
  if (comparison === undefined) return undefined;
  const { source_id: source, model } = comparison;
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  try {
    await service.query('begin');
    const seen = await read(service, readerUrl, comparison);
    const [compared] = await queueDifferences(service, source, seen.snapshot, seen.at);
    const rows = Number(compared?.rows ?? 0);
    await answerRequests(service, source, seen.snapshot);
    const [ended] = await endComparison(service, source, rows, seconds(), null);
    await service.query(ended === undefined ? 'rollback' : 'commit');
    return { model, rows };
  } catch (error) {
    await service.query('rollback');
    await endComparison(service, source, null, seconds(), error instanceof Error ? error.message : String(error));
    return { model, error };
  }
}

async function read(service: pg.Client, readerUrl: string | undefined, comparison: Comparison): Promise<Seen> {
  const { handle, guard_key: guard } = comparison;
  if (handle === null || guard === null)
    throw new Error('the read handle was dropped or altered; set the labels again with pgscore.set_labels()');
  const reader = await connect({ url: readerUrl, applicationName: 'pgscore labels', settings: SPELLING });
  try {
    await reader.query('begin isolation level read committed read only');
    await reader.query(`select set_config('row_security', 'off', false)`);
    await reader.query(lockingQuery(handle));
    const { rows } = await reader.query<Seen>(
      `select set_config('pgscore.guard', $1, false), pg_current_snapshot()::text as snapshot, clock_timestamp()::text as at`,
      [guard],
    );
    const [seen] = rows;
    if (seen === undefined) throw new Error('the server gave no snapshot');
    await pipeline(reader.query(to(labelQuery(comparison, handle))), service.query(from(INTO)));
    return seen;
  } finally {
    await disconnect(reader);
  }
}

/** Without the guard it reads nothing, but takes its locks: whoever holds them commits before there is a snapshot. */
function lockingQuery(handle: string): string {
  return `select from ${callOf(handle)}`;
}

function callOf(handle: string): string {
  return `${qualified('pgscore_sources', handle)}('(0,0)'::pg_catalog.tid, '(4294967295,0)'::pg_catalog.tid)`;
}

/** The handle gives the key columns, then known_at where there is one, then the label. */
function labelQuery({ source_id: source, keys, timed }: Comparison, handle: string): string {
  const key = Array.from({ length: keys }, (_, index) => `c${index + 1}`);
  const label = `c${keys + (timed ? 2 : 1)}`;
  const knownAt = timed ? `c${keys + 1}` : 'null::timestamptz';
  const spelled = key.map((column) => `pg_catalog.concat(${column})`).join(', ');
  const given = [label, ...key].map((column) => `${column} is not null`).join(' and ');
  return `copy (select ${source}, array[${spelled}], ${knownAt}, pg_catalog.concat(${label})
    from ${callOf(handle)}
    where ${given} and pg_catalog.concat(${label}) <> '') to stdout`;
}
