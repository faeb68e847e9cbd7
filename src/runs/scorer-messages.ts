import type { Apart, Job, Outcome } from './job.ts';

/** What a scorer is started with: it reads no flags, and of the environment only what says how to connect. */
export type ScorerSettings = {
  readonly connecting: Readonly<Record<string, string>>;
  readonly databaseUrl: string | undefined;
  readonly readerUrl: string | undefined;
  readonly batchRows: number;
  readonly modelMemoryBytes: number;
};

export type ToScorer =
  | { readonly type: 'start'; readonly settings: ScorerSettings }
  | { readonly type: 'score'; readonly jobs: readonly Job[] }
  | { readonly type: 'abort'; readonly jobId: number }
  /** No shard of this run is left: give its snapshot up. */
  | { readonly type: 'release'; readonly runId: string };

export type FromScorer =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly jobId: number; readonly rowsDone: number; readonly rowsFailed: number }
  | { readonly type: 'outcome'; readonly jobId: number; readonly outcome: Outcome | Apart };
