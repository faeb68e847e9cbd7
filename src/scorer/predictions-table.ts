import { Step } from '../postgres/pipeline-statement.ts';
import { ident, qualified } from '../lib/ident.ts';
import type { Run, Target } from '../runs/run.ts';

/** Where a prediction keeps the values of its segments. */
const SEGMENTS = 'pgscore_segments';

/** The partition of a target that holds one generation. */
export function partition(target: Target, generation: number): string {
  return qualified('pgscore_predictions', `target_${target.targetId}_g${generation}`);
}

/** Columns of a prediction in their order, but for its generation and run. */
function ownColumns(target: Target): string[] {
  const keys = target.keys.map((key) => ident(key.name));
  if (target.task === 'regression') return [...keys, 'event_time', 'score', 'error_code'];
  const probabilities = target.probabilityColumns === null ? ['probabilities'] : target.probabilityColumns.map(ident);
  return [...keys, 'event_time', 'score', 'label', ...probabilities, 'error_code'];
}

/**
 * COPY of a run's predictions as the encoder writes them. What is the same for all rows and can be left to the table is:
 * an event time that the source does not have, and, in a generation that is the run's own, its number and the run's.
 */
export function copyPredictions(run: Run, generation: number, constants: 'written' | 'default'): string {
  const timed = run.columns.some(({ role }) => role === 'event_time');
  const own = ownColumns(run.target).filter((column) => timed || column !== 'event_time');
  const segments = run.segments.length > 0 ? [SEGMENTS] : [];
  const columns = [...(constants === 'written' ? ['generation', 'run_id'] : []), ...own, ...segments];
  return `copy ${partition(run.target, generation)} (${columns.join(', ')}) from stdin (format binary)`;
}

/** Targets whose statement a connection keeps prepared: to plan it took longer than to run it. */
const MOST_PREPARED = 64;

/** Moves every row of a generation to the superseded ones, which are generation 0. */
export function supersede(target: Target, generation: number): Step {
  const columns = [...ownColumns(target), 'run_id', SEGMENTS].join(', ');
  const text = `with gone as (delete from ${partition(target, generation)} returning *)
    insert into ${partition(target, 0)} (generation, ${columns}) select 0, ${columns} from gone`;
  return new Step({ name: `supersede_${target.targetId % MOST_PREPARED}`, text });
}
