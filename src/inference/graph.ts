import type { Tensor } from 'onnxruntime-node';
import type { FeedData } from './feed.ts';
import type { ModelInput } from './signature.ts';

/** The rows of one input as they go into a run. */
export type RunInput = { readonly input: ModelInput; readonly data: FeedData };

/** A tensor as a run returned it, its shape the real one. */
export type RunOutput = {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Tensor['data'];
};

/** Whatever computes a graph. It knows tensors only; what they mean is in the signature. */
export type Graph = {
  /** Runs the graph on `rows` rows for these outputs. Throws where the model refuses the rows, and GraphLost. One of this process blocks the thread meanwhile. */
  run(inputs: readonly RunInput[], rows: number, outputs: readonly string[]): Promise<RunOutput[]>;
  /** Whether what it says of a row cannot depend on the other rows of a run. */
  readonly isRowWise?: boolean;
  /** run() in this turn of the event loop, where the graph can. */
  runSync?(inputs: readonly RunInput[], rows: number): RunOutput[];
  release(): Promise<void>;
};

/** What computed a graph is gone, which says nothing of the rows. */
export class GraphLost extends Error {}
