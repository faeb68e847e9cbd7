import type { ModelCache } from '../inference/cache.ts';
import type { FeatureBinsCache } from '../monitor/feature-bins.ts';
import type { ScoreBins } from '../monitor/score-bins.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import type { Reader } from './read-source.ts';

/** What a scorer keeps from job to job, and how a job reports its progress. */
export type ScorerContext = {
  readonly reader: Reader;
  readonly writer: DatabaseConnection;
  readonly models: ModelCache;
  readonly scoreBins: () => Promise<ScoreBins>;
  readonly featureBins: FeatureBinsCache;
  readonly batchRows: number;
  /** Called after every batch. */
  readonly onProgress: (rowsDone: number, rowsFailed: number) => void;
  /** Called again and again while the job waits for the database. */
  readonly onWait: () => void;
  /** Aborted when the job must stop. */
  readonly signal: AbortSignal;
};
