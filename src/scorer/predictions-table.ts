import { ident, qualified } from '../lib/ident.ts';
import type { Target } from '../runs/run.ts';

/** The partition of a target that holds one generation. */
export function partition(target: Target, generation: number): string {
  return qualified('pgscore_predictions', `target_${target.targetId}_g${generation}`);
}

/** Columns of a prediction after the generation, in the order that the encoder writes them. */
function columnsAfterGeneration(target: Target): string[] {
  const keys = target.keys.map((key) => ident(key.name));
  if (target.task === 'regression') return [...keys, 'event_time', 'score', 'error_code', 'run_id'];
  const probabilities = target.probabilityColumns === null ? ['probabilities'] : target.probabilityColumns.map(ident);
  return [...keys, 'event_time', 'score', 'label', ...probabilities, 'error_code', 'run_id'];
}

export function copyPredictions(target: Target, generation: number): string {
  const columns = ['generation', ...columnsAfterGeneration(target)].join(', ');
  return `copy ${partition(target, generation)} (${columns}) from stdin (format binary)`;
}

/** Moves every row of a generation to the superseded ones, which are generation 0. */
export function supersede(target: Target, generation: number): string {
  const columns = columnsAfterGeneration(target).join(', ');
  return `with gone as (delete from ${partition(target, generation)} returning *)
    insert into ${partition(target, 0)} (generation, ${columns}) select 0, ${columns} from gone`;
}
