import { type ErrorParts, PgscoreError } from '../errors.ts';
import { ChildProgram } from '../lib/child-process.ts';
import type { FeedData } from '../inference/feed.ts';
import type { ModelSession } from '../inference/session.ts';
import { stepOf, type Feature, type Signature } from '../inference/signature.ts';
import { GraphLost, type RunInput, type RunOutput, type Graph } from '../inference/graph.ts';
import type { LoadedVersion } from '../models/load-version.ts';
import { OneAtATime } from '../lib/one-at-a-time.ts';

const V8_FLAGS = ['--max-semi-space-size=32', '--single-threaded-gc'];

export type ToRunner = LoadGraph | RunGraph | { readonly type: 'release'; readonly versionId: number };

export type LoadGraph = {
  readonly type: 'load';
  readonly id: number;
  readonly versionId: number;
  /** Of its file. */
  readonly path: string;
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
type Loaded = { readonly walked: boolean; readonly bytes: number };

/** Answers, each to the load or run of its id. */
export type FromRunner = { readonly id: number } & (
  | { readonly loaded: Loaded }
  | { readonly outputs: RunOutput[] }
  /** What ONNX Runtime said of the rows. */
  | { readonly refused: string }
  | { readonly failed: ErrorParts }
);

type Unsent = Omit<LoadGraph, 'id'> | Omit<RunGraph, 'id'>;
type Waiting = {
  readonly versionId: number;
  readonly resolve: (answer: FromRunner) => void;
  readonly reject: (error: GraphLost) => void;
};

/** What a runner is for: all small models, large ones, or those that held up others. */
export type RunnerKind = 'small' | 'large' | 'slow';

/** A child process that computes models, in an environment that is empty. Nothing but SIGKILL ends one that hangs in a model. */
export class Runner {
  kind: RunnerKind;
  /** Loads and runs take turns. */
  readonly turn = new OneAtATime();
  /** Resolves when it has ended; if it crashed, with the versions that it was loading or running. */
  readonly ended: Promise<readonly number[]>;
  readonly #child: ChildProgram<ToRunner, FromRunner>;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #end: string | undefined;
  #killedFor: string | undefined;

  constructor(kind: RunnerKind) {
    this.kind = kind;
    this.#child = new ChildProgram('online/runner-main', {
      env: {},
      arguments: [String(process.pid)],
      v8Flags: V8_FLAGS,
      binary: true,
      onMessage: (message) => this.#receive(message),
    });
    this.ended = this.#child.exited.then((how) => this.#ended(how));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it has ended, or is about to. */
  get gone(): boolean {
    return this.#end !== undefined || this.#killedFor !== undefined;
  }

  /** How it ended. */
  get end(): string | undefined {
    return this.#end;
  }

  /** @throws PgscoreError model_load_failed; GraphLost */
  async load(versionId: number, { path, signature }: LoadedVersion): Promise<Loaded> {
    const answer = await this.#ask({ type: 'load', versionId, path, signature });
    if ('loaded' in answer) return answer.loaded;
    if (!('failed' in answer)) throw new Error('no answer');
    const { code, message, remedy } = answer.failed;
    throw new PgscoreError(code, message, { remedy });
  }

  /** Throws what the model says of the rows; GraphLost. */
  async run(
    versionId: number,
    inputs: readonly RunInput[],
    rows: number,
    outputs: readonly string[],
  ): Promise<RunOutput[]> {
    const feeds = Object.fromEntries(inputs.map(({ input, data }) => [input.name, data]));
    const answer = await this.#ask({ type: 'run', versionId, feeds, rows, outputs });
    if ('outputs' in answer) return answer.outputs;
    throw new Error('refused' in answer ? answer.refused : 'no answer');
  }

  /** The process does so after the run that it is about. */
  release(versionId: number): void {
    this.#child.send({ type: 'release', versionId });
  }

  kill(reason: string): void {
    this.#killedFor ??= reason;
    this.#child.kill();
  }

  #ask(message: Unsent): Promise<FromRunner> {
    if (this.#end !== undefined) return Promise.reject(new GraphLost(this.#end));
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { versionId: message.versionId, resolve, reject });
      this.#child.send({ ...message, id });
    });
  }

  #receive(answer: FromRunner): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    waiting?.resolve(answer);
  }

  #ended(how: string): number[] {
    this.#end = `the process that ran the model ended (${this.#killedFor ?? how})`;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new GraphLost(this.#end));
    return this.#killedFor === undefined ? waiting.map(({ versionId }) => versionId) : [];
  }
}

/** A graph that a runner has loaded. */
export class RemoteGraph implements Graph {
  readonly #runner: Runner;
  readonly #versionId: number;
  readonly #onRelease: () => void;

  constructor(runner: Runner, versionId: number, onRelease: () => void) {
    this.#runner = runner;
    this.#versionId = versionId;
    this.#onRelease = onRelease;
  }

  run(inputs: readonly RunInput[], rows: number, outputs: readonly string[]): Promise<RunOutput[]> {
    return this.#runner.run(this.#versionId, inputs, rows, outputs);
  }

  release(): Promise<void> {
    this.#onRelease();
    return Promise.resolve();
  }
}

/**
 * The first run allocates what later ones use. What the model says of such a row is nothing to us.
 * @throws GraphLost
 */
export async function firstRun(session: ModelSession): Promise<void> {
  const { features } = session.signature;
  const row = Object.fromEntries(features.map((feature) => [feature.name, sample(feature)]));
  try {
    await session.predictRows([row]);
  } catch (error) {
    if (error instanceof GraphLost) throw error;
  }
}

function sample({ type, width, shape = [width || null] }: Feature): unknown {
  const filling = type === 'string' ? '' : 0;
  if (width !== 1) return Array.from({ length: width === 0 ? stepOf(shape) : width }, () => filling);
  if (type === 'bool') return false;
  return filling;
}
