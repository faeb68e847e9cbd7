import type { ErrorCode } from '../errors.ts';
import type { FeedData } from '../inference/feed.ts';
import type { RunOutput } from '../inference/graph.ts';
import type { Signature } from '../inference/signature.ts';

export type ToRunner = LoadGraph | RunGraph | { readonly type: 'release'; readonly versionId: number };

export type LoadGraph = {
  readonly type: 'load';
  readonly id: number;
  readonly versionId: number;
  readonly bytes: Uint8Array;
  readonly signature: Signature;
};

export type RunGraph = {
  readonly type: 'run';
  readonly id: number;
  readonly versionId: number;
  /** By the names of inputs. */
  readonly feeds: Readonly<Record<string, FeedData>>;
  readonly rows: number;
  readonly outputs: readonly string[];
};

/** A graph that was loaded: it is one of trees that may be walked, and is kept no longer; or stays, and took so much memory. */
export type Loaded = { readonly walked: boolean; readonly bytes: number };

/** Answers, each to the load or run of its id. */
export type FromRunner = { readonly id: number } & (
  | { readonly loaded: Loaded }
  | { readonly outputs: RunOutput[] }
  /** What ONNX Runtime said of the rows. */
  | { readonly refused: string }
  | { readonly failed: { readonly code: ErrorCode; readonly message: string; readonly remedy: string | undefined } }
);
