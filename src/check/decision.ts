import { PgscoreError } from '../errors.ts';
import type { DeployOptions } from './deploy-options.ts';
import type { Signature, Task } from '../inference/signature.ts';

/**
 * The positive class and the threshold of a binary model: the last of its two labels, unless the deployer names another, and
 * a threshold only where the deployer gives one. {} for other tasks.
 * @throws PgscoreError model_options_wrong
 */
export function settleDecision(
  task: Task,
  labels: readonly string[],
  options: DeployOptions,
): Pick<Signature, 'positiveClass' | 'threshold'> {
  if (task !== 'binary') {
    if (options.positiveClass !== undefined) throw wrong(`a ${task} model has no positive class`);
    if (options.threshold !== undefined) throw wrong(`a ${task} model has no threshold`);
    return {};
  }
  const { positiveClass = labels.at(-1) ?? '', threshold } = options;
  if (labels.length !== 2) throw wrong(`a binary model has two classes, this one has ${labels.join(', ')}`);
  if (!labels.includes(positiveClass)) {
    throw wrong(`the positive class '${positiveClass}' is none of the classes ${labels.join(', ')}`);
  }
  if (threshold === undefined) return { positiveClass };
  if (!(threshold >= 0 && threshold <= 1)) throw wrong(`the threshold ${threshold} is not between 0 and 1`);
  return { positiveClass, threshold };
}

function wrong(message: string): PgscoreError {
  return new PgscoreError('model_options_wrong', message, { remedy: 'Leave the option out, or correct it.' });
}
