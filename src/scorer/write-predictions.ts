import type pg from 'pg';
import { HEADER, TRAILER } from '../copy/format.ts';
import { CopyWriter } from '../copy/write.ts';
import { PredictionEncoder } from '../copy/encode.ts';
import { PipelinedStatement } from '../postgres/pipeline.ts';
import { GIVES } from '../inference/signature.ts';
import { hasArms, isOfWatch, type Run, type Target } from '../runs/run.ts';
import { PgscoreError } from '../errors.ts';
import { runsOfArms } from './arms.ts';
import type { Scored, ScoredStream } from './scored-stream.ts';
import { ident, literal, qualified } from '../lib/text.ts';

/** Writes the predictions of a stream into a generation of the run's own, as fast as the server takes them. */
export async function writePredictions(
  client: pg.Client,
  run: Run,
  generation: number,
  scored: ScoredStream,
): Promise<void> {
  const constants = hasArms(run) ? 'written' : 'default';
  const writer = await CopyWriter.open(client, copyPredictions(run, generation, constants));
  try {
    const encoders = encodersOf(run, constants === 'written' ? generation : null);
    for await (const part of scored) await writer.write(encoded(encoders, part));
    await writer.finish();
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}

/** Writes the few predictions of a small run into a generation that others share, as a step of the pipeline that publishes them. */
export function predictionsStatement(run: Run, generation: number, batches: readonly Scored[]): PipelinedStatement {
  const encoders = encodersOf(run, generation);
  const data = batches.map((part) => encoded(encoders, part));
  return new PipelinedStatement({ text: copyPredictions(run, generation, 'written') }, [HEADER, ...data, TRAILER]);
}

/** One encoder for each arm: predictions of an arm belong to a run of their own. */
function encodersOf(run: Run, generation: number | null): PredictionEncoder[] {
  return runsOfArms(run).map(({ runId, target }) => {
    return new PredictionEncoder({ ...target, constants: generation === null ? null : { generation, runId } });
  });
}

function encoded(encoders: readonly PredictionEncoder[], { arm, decoded, predictions, segments }: Scored): Buffer {
  const encoder = encoders[arm];
  if (encoder === undefined) throw new PgscoreError('internal', `the run has no arm ${arm}`);
  return encoder.encode(decoded, predictions, segments);
}

/** The column of a prediction with the values of its segments. */
const SEGMENTS = 'pgscore_segments';
/**
 * The column with the hash of the row that a prediction was made from, in targets of watches and of runs over changed
 * rows.
 */
const HASH = 'pgscore_hash';

/** The partition of a target that holds one generation. */
function partition(target: Target, generation: number): string {
  return qualified('pgscore_predictions', `target_${target.targetId}_g${generation}`);
}

/** Columns of a prediction in their order, but for its generation and run. */
function ownColumns(target: Target): string[] {
  const keys = target.keys.map((key) => ident(key.name));
  const { score, label } = GIVES[target.task];
  const values = target.valueColumns?.map(ident) ?? (label ? ['probabilities'] : []);
  return [...keys, 'event_time', ...(score ? ['score'] : []), ...(label ? ['label'] : []), ...values, 'error_code'];
}

/**
 * The COPY that writes predictions of a run. Columns with one value for all rows are left to the defaults of the table:
 * an event time that the source lacks and, in a generation of the run's own, generation and run_id.
 */
function copyPredictions(run: Run, generation: number, constants: 'written' | 'default'): string {
  const timed = run.columns.some(({ role }) => role === 'event_time');
  const passed = [...(timed ? ['event_time'] : []), ...(isOfWatch(run) || run.hashedAs !== null ? [HASH] : [])];
  const own = ownColumns(run.target).flatMap((column) => (column === 'event_time' ? passed : [column]));
  const segments = run.segments.length > 0 ? [SEGMENTS] : [];
  const columns = [...(constants === 'written' ? ['generation', 'run_id'] : []), ...own, ...segments];
  return `copy ${partition(run.target, generation)} (${columns.join(', ')}) from stdin (format binary)`;
}

/** Moves the predictions of some keys, an array for each column, to generation 0. */
export function supersedeKeys(
  target: Target,
  generation: number,
  keyLists: readonly (readonly string[])[],
): PipelinedStatement {
  const columns = [...ownColumns(target), 'run_id', SEGMENTS].join(', ');
  const names = target.keys.map(({ name }) => ident(name));
  const lists = target.keys.map(({ sql_type: type }, at) => `$${at + 1}::${type}[]`).join(', ');
  const text = `with gone as (
      delete from ${partition(target, generation)} p using unnest(${lists}) as k (${names.join(', ')})
       where ${names.map((name) => `p.${name} = k.${name}`).join(' and ')} returning p.*)
    insert into ${partition(target, 0)} (generation, ${columns}) select 0, ${columns} from gone`;
  return new PipelinedStatement({ text, values: keyLists });
}

/** Moves predictions to generation 0 by their ctids, if they still have these hashes. Returns how many. */
export function supersedeRows(
  target: Target,
  { rowTids, hashes }: { readonly rowTids: readonly string[]; readonly hashes: readonly (string | null)[] },
): PipelinedStatement<{ moved: string }> {
  const columns = [...ownColumns(target), 'run_id', SEGMENTS].join(', ');
  const text = `with gone as (
      delete from ${partition(target, target.currentGeneration)} p using unnest($1::tid[], $2::bigint[]) as k (row_tid, hash)
       where p.ctid = k.row_tid and p.${HASH} is not distinct from k.hash returning p.*
    ), moved as (
      insert into ${partition(target, 0)} (generation, ${columns}) select 0, ${columns} from gone returning run_id)
    select count(*) as moved from moved`;
  return new PipelinedStatement({ text, values: [rowTids, hashes] });
}

/** Reads the ctids and hashes of the latest predictions of a target. */
export function hashesQuery(target: Target): string {
  return `copy (select p.ctid, p.${HASH} from ${partition(target, target.currentGeneration)} p) to stdout (format binary)`;
}

/**
 * Reads the predictions of a target for some keys: each key in binary and as text, the hash of the row, and the
 * version.
 */
export function knownQuery(target: Target, keyLists: readonly string[]): string {
  const names = target.keys.map(({ name }) => `p.${ident(name)}`);
  const lists = target.keys.map(({ sql_type: type }, at) => `${literal(keyLists[at] ?? '{}')}::${type}[]`);
  const among =
    names.length === 1
      ? `${names[0]} = any (${lists[0]})`
      : `(${names.join(', ')}) in (select * from unnest(${lists.join(', ')}))`;
  return `copy (select ${names.join(', ')}, ${names.map((name) => `concat(${name})`).join(', ')}, p.pgscore_hash, r.version_id
    from ${partition(target, target.currentGeneration)} p left join pgscore_data.run r on r.run_id = p.run_id
    where ${among}) to stdout (format binary)`;
}

/** Most targets whose statement a connection keeps prepared: planning it took longer than running it. */
const MOST_PREPARED = 64;

/** Moves all rows of a generation to generation 0, which holds superseded predictions. */
export function supersede(target: Target, generation: number): PipelinedStatement {
  const columns = [...ownColumns(target), 'run_id', SEGMENTS].join(', ');
  const text = `with gone as (delete from ${partition(target, generation)} returning *)
    insert into ${partition(target, 0)} (generation, ${columns}) select 0, ${columns} from gone`;
  return new PipelinedStatement({ name: `supersede_${target.targetId % MOST_PREPARED}`, text });
}
