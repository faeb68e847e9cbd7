import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from, to } from 'pg-copy-streams';
import { connect, disconnect } from '../postgres/connect.ts';
import { statement } from '../postgres/statement.ts';
import { qualified } from '../lib/text.ts';

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
type Compared = { readonly model: string; readonly rows: number } | { readonly model: string; readonly error: unknown };

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

/** The handle gives the key columns, then known_at where there is one, then the labels. */
function labelQuery({ source_id: source, spelled, timed, label }: Comparison, handle: string): string {
  const key = spelled.map((_, index) => `c${index + 1}`);
  const knownAt = timed ? `c${key.length + 1}` : 'null::timestamptz';
  const given = [...key, label].map((value) => `(${value}) is not null`).join(' and ');
  return `copy (select ${source}, array[${spelled.join(', ')}], ${knownAt}, ${label}
    from ${callOf(handle)} where ${given}) to stdout`;
}

/** A source of labels that is to be read whole and compared with what is known. */
type Comparison = {
  source_id: number;
  model: string;
  /** The expressions of the key. */
  spelled: string[];
  timed: boolean;
  /** The expression of a label. */
  label: string;
  /** Function that reads it with its owner's rights; null where that is gone or somebody else's. */
  handle: string | null;
  guard_key: string | null;
};

/** For how long a session that lives has a source to itself: longer than a comparison should take. */
const LEASE = `interval '10 minutes'`;

/** Whether the triggers of source s are on the table that has its name now. */
const IS_CAPTURED = `exists (
    select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = s.source_schema and c.relname = s.source_name and t.tgname = 'pgscore_labels_' || s.source_id || '_insert' and t.tgenabled <> 'D')`;

/** Whether a comparison of source s was asked for, or its table altered, and no other session makes it. One that failed waits for its time. */
const IS_ASKED_FOR = `(s.digest is distinct from d.digest or exists (select from pgscore_data.comparison_request q where q.source_id = s.source_id))
  and coalesce(s.compared_at < clock_timestamp() - interval '1 second', true)
  and case when s.comparing_pid is null then s.error is null else not exists (
    select from pg_stat_activity a where a.pid = s.comparing_pid and a.pid <> pg_backend_pid() and coalesce(a.backend_start = s.comparing_since, true)) end`;

/** The request stands until the comparison ends: by it refreshes remember what they take, and whoever comes after a death goes on. */
const CLAIM = `with due as materialized (
     select s.source_id, d.digest, exists (select from pgscore_data.comparison_request q where q.source_id = s.source_id) as was_asked_for
       from pgscore_data.label_source s
      cross join lateral pgscore._table_digest(
        pgscore._relation_named(format('%I.%I', s.source_schema, s.source_name)), format('pgscore_labels_%s_', s.source_id)) d
      where s.compare_after <= clock_timestamp() or ${IS_ASKED_FOR}
      order by s.compare_after limit 1 for update of s skip locked
   ), claimed as (
     update pgscore_data.label_source s
        set compare_after = clock_timestamp() + ${LEASE}, digest = due.digest, comparing_pid = pg_backend_pid(),
            comparing_since = (select a.backend_start from pg_stat_activity a where a.pid = pg_backend_pid())
       from due where s.source_id = due.source_id
     returning s.*
   ), asked as (
     insert into pgscore_data.comparison_request (source_id) select source_id from due where not was_asked_for
   ), forgotten as (
     delete from pgscore_data.taken_change x using claimed c join due using (source_id)
      where was_asked_for and x.model_id = c.model_id
        and not exists (select from pgscore_data.label_change l where l.model_id = x.model_id and l.read_in is not null)
   )
   select c.source_id, m.name as model, c.known_at_column is not null as timed,
          array(select pgscore_data._spelled('c' || n, type) from unnest(o.key_types) with ordinality as x (type, n) order by n) as spelled,
          pgscore_data._label_expression(array(
            select 'c' || n + cardinality(c.key_columns) + (c.known_at_column is not null)::int from generate_series(1, cardinality(c.label_columns)) n),
            c.label_names) as label, p.proname as handle, h.guard_key
     from claimed c
     join pgscore_data.model m using (model_id)
     join pgscore_data.monitor o using (model_id)
     left join pgscore_data.handle h using (handle_id)
     left join pg_proc p on p.proname = h.name and p.pronamespace = 'pgscore_sources'::regnamespace and p.prosecdef
       and oidvectortypes(p.proargtypes) = 'tid, tid' and pg_get_userbyid(p.proowner) = c.set_by`;

/** Takes a source whose turn it is. To be committed before the source is read. */
const claimComparison = statement<[], Comparison>('claim_comparison', CLAIM);

const END = `update pgscore_data.label_source s
      set compared_at = case when $4::text is null then clock_timestamp() else s.compared_at end, rows_compared = coalesce($2, s.rows_compared), compare_seconds = $3, error = $4,
          comparing_pid = null, comparing_since = null,
          compare_after = clock_timestamp() + greatest(20 * $3::float8 * interval '1 second', case
            when $4::text is not null then interval '1 minute' when ${IS_CAPTURED} then interval '1 hour' else interval '10 seconds' end)
    where s.source_id = $1 and s.comparing_pid = pg_backend_pid()
   returning s.source_id`;

/**
 * Ends a comparison, unless another session took it over or the labels were set anew meanwhile: then it returns nothing. When
 * the next one is due depends on how long this one took and on whether triggers tell of changes. They miss writes straight
 * into a partition, and replicated ones.
 */
const endComparison = statement<
  [sourceId: number, rows: number | null, seconds: number, error: string | null],
  { source_id: number }
>('end_comparison', END);

/** Takes away the requests that a comparison has answered: those that its snapshot saw. */
const answerRequests = statement<[sourceId: number, seen: string]>(
  'answer_requests',
  'delete from pgscore_data.comparison_request q where q.source_id = $1 and pg_visible_in_snapshot(q.requested_in, $2)',
);
