import { InferenceSession, Tensor, env } from 'onnxruntime-node';
import type { Graph, RunInput, RunOutput } from './graph.ts';
import { narrowed, widened } from './narrow.ts';
import { loadFailure } from './ort-errors.ts';

const FATAL = 4;

/** One graph in ONNX Runtime. */
export class GraphSession implements Graph {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * Loads a model that passed refuseUnsafe(). ONNX Runtime reads a file itself; it may be removed afterwards.
   * `threads` compute one run together.
   * @throws PgscoreError model_load_failed
   */
  static async load(model: Uint8Array | string, threads: number): Promise<GraphSession> {
    // Its warnings would go to stderr of the process, past the log. The first session decides this for all.
    env.logLevel = 'fatal';
    try {
      const options = {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: FATAL,
      } as const;
      const session = await (typeof model === 'string'
        ? InferenceSession.create(model, options)
        : InferenceSession.create(model, options));
      return new GraphSession(session);
    } catch (error) {
      throw loadFailure(error);
    }
  }

  /** The outputs that are tensors. */
  get outputs(): string[] {
    return this.#session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
  }

  /** Throws what ONNX Runtime throws. */
  async run(inputs: readonly RunInput[], rows: number, outputs: readonly string[]): Promise<RunOutput[]> {
    const feeds = Object.fromEntries(inputs.map((input) => [input.input.name, tensorOf(input, rows)]));
    const results = await this.#session.run(feeds, [...outputs], { logSeverityLevel: FATAL });
    return outputs.flatMap((name) => {
      const tensor = results[name];
      return tensor === undefined ? [] : [widened({ name, type: tensor.type, dims: tensor.dims, data: tensor.data })];
    });
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function tensorOf({ input, data }: RunInput, rows: number): Tensor {
  const dims = [rows, ...input.shape.slice(1).map((size) => size ?? input.width)];
  if (input.element === undefined) return new Tensor(input.type, data, dims);
  return new Tensor(input.element, narrowed(input.element, data as Float32Array | Int32Array | BigInt64Array), dims);
}
