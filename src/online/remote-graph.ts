import type { Graph, RunInput, RunOutput } from '../inference/graph.ts';
import type { Runner } from './runner.ts';

/** A graph that a runner has loaded. */
export class RemoteGraph implements Graph {
  readonly #runner: Runner;
  readonly #versionId: number;
  readonly #onReleased: () => void;

  constructor(runner: Runner, versionId: number, onReleased: () => void) {
    this.#runner = runner;
    this.#versionId = versionId;
    this.#onReleased = onReleased;
  }

  run(inputs: readonly RunInput[], rows: number, outputs: readonly string[]): Promise<RunOutput[]> {
    return this.#runner.run(this.#versionId, inputs, rows, outputs);
  }

  /** Not in the middle of its run; nobody waits for it. */
  release(): Promise<void> {
    void this.#runner.turn.run(async () => {
      this.#runner.release(this.#versionId);
      await Promise.resolve(this.#onReleased());
    });
    return Promise.resolve();
  }
}
