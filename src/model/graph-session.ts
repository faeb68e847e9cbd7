import { InferenceSession, Tensor, env } from 'onnxruntime-node';
import type { FeedData } from './feed.ts';
import { loadFailure } from './ort-errors.ts';
import type { ModelInput } from './signature.ts';

const FATAL = 4;

/** The rows of one input as they go into a run. */
export type RunInput = { readonly input: ModelInput; readonly data: FeedData };

/** A tensor as a run returned it, its shape the real one. */
export type RunOutput = {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Tensor['data'];
};

/** One graph in ONNX Runtime. It knows tensors only; what they mean is in the signature. */
export class GraphSession {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * Loads a model that passed the gate. `threads` compute one run together.
   * @throws PgscoreError model_load_failed
   */
  static async load(bytes: Uint8Array, threads: number): Promise<GraphSession> {
    // Its warnings would go to stderr of the process, past the log. The first session settles this for all.
    env.logLevel = 'fatal';
    try {
      const session = await InferenceSession.create(bytes, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: FATAL,
      });
      return new GraphSession(session);
    } catch (error) {
      throw loadFailure(error);
    }
  }

  /** The outputs that are tensors. */
  get outputs(): string[] {
    return this.#session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
  }

  /** Runs the graph on `rows` rows for these outputs. Throws what ONNX Runtime throws. Blocks the thread meanwhile. */
  async run(inputs: readonly RunInput[], rows: number, outputs: readonly string[]): Promise<RunOutput[]> {
    const feeds = Object.fromEntries(inputs.map((input) => [input.input.name, tensorOf(input, rows)]));
    const results = await this.#session.run(feeds, [...outputs], { logSeverityLevel: FATAL });
    return outputs.flatMap((name) => {
      const tensor = results[name];
      return tensor === undefined ? [] : [{ name, type: tensor.type, dims: tensor.dims, data: tensor.data }];
    });
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function tensorOf({ input, data }: RunInput, rows: number): Tensor {
  return new Tensor(input.type, data, [rows, ...input.shape.slice(1).map((size) => size ?? input.width)]);
}
