import { setImmediate as afterInput, setTimeout as rest } from 'node:timers/promises';
import { FairLine } from '../fair-line.ts';
import type { Patience } from './deadline.ts';

/** Does one step; true where it was the last. */
type Work = { readonly owner: string; readonly step: () => boolean };

/** Whoever needs several turns of the event loop, such as for a process that computes, would wait for such a step in each: after it there is time for these. */
const LONG_STEP_MS = 20;
const REST_MS = 5;

/** Work that would hold the thread for long, in steps: one at a time, of each caller in turn, and what else came in between. */
export class LongTurns {
  readonly #line = new FairLine<Work>();
  #working = false;

  /** What the steps end with; the next is not taken where nobody waits for it any more. */
  run<T>(steps: Iterator<void, T>, patience: Patience): Promise<T> {
    const { owner } = patience;
    const ended = new Promise<T>((resolve, reject) => {
      const step = (): boolean => {
        try {
          patience.check();
          const { done, value } = steps.next();
          if (done === true) resolve(value);
          return done === true;
        } catch (error) {
          reject(error);
          return true;
        }
      };
      this.#line.add({ owner, step });
    });
    if (!this.#working) void this.#work();
    return patience.or(ended);
  }

  async #work(): Promise<void> {
    this.#working = true;
    await afterInput();
    for (let work = this.#next(); work !== undefined; work = this.#next()) {
      const began = performance.now();
      if (!work.step()) this.#line.add(work);
      const took = performance.now() - began;
      await (took > LONG_STEP_MS ? rest(REST_MS) : afterInput());
    }
    this.#working = false;
  }

  #next(): Work | undefined {
    const next = this.#line.first(() => true);
    if (next !== undefined) this.#line.take(next);
    return next;
  }
}
