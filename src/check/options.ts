import type { Kind, Task } from '../inference/signature.ts';
import { PgscoreError } from '../errors.ts';

/** What becomes of a NULL in a float feature: as the graph handles it, always a bad row, or always NaN. */
type NullRule = 'auto' | 'error' | 'nan';

/** What whoever deploys a model may say about it; all that is left out is found in the file. */
export type CheckOptions = {
  /** Names of the columns, in the order of training. */
  features?: readonly string[] | undefined;
  nulls?: NullRule | undefined;
  /** Feature name -> the value that stands in for NULL. */
  nullValues?: Readonly<Record<string, number | string | boolean>> | undefined;
  task?: Task | Kind | undefined;
  /** In the order of the probability columns. */
  classLabels?: readonly string[] | undefined;
  /** Names of the values of a row, in their order, of a model that gives several. */
  targets?: readonly string[] | undefined;
  positiveClass?: string | undefined;
  threshold?: number | undefined;
  /** The numbers of a classifier are logits or log-probabilities. */
  logits?: boolean | undefined;
};

/** @throws PgscoreError model_options_wrong */
export function checkThreshold(threshold: number | undefined): void {
  if (threshold === undefined || (threshold >= 0 && threshold <= 1)) return;
  throw wrongOption(`the threshold ${threshold} is not between 0 and 1`);
}

export function wrongOption(message: string, remedy = 'Leave the option out, or correct it.'): PgscoreError {
  return new PgscoreError('model_options_wrong', message, { remedy });
}
