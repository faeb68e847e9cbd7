import type { Link } from '../db/link.ts';
import type { ModelCache } from './model-cache.ts';
import type { Reader } from './reader.ts';

/** What a scorer keeps from job to job. */
export type Tools = {
  readonly reader: Reader;
  readonly writer: Link;
  readonly models: ModelCache;
  readonly batchRows: number;
  /** Told after every batch; throws where the job was aborted. */
  readonly onProgress: (rowsDone: number, rowsFailed: number) => void;
};
