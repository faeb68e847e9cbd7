import { rank } from '../intervals/ranking.ts';
import { SCORES } from '../intervals/draws.ts';
import { aucInterval } from '../intervals/formulas.ts';
import { wilson } from '../wilson.ts';
import type { Window } from './watch.ts';

/** The same numbers for the same seed: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** How many of n, each with this probability; of many, by the normal limit. */
  hits(n: number, probability: number): number {
    const variance = n * probability * (1 - probability);
    if (variance > 50)
      return Math.min(n, Math.max(0, Math.round(n * probability + Math.sqrt(variance) * this.normal())));
    let hits = 0;
    for (let row = 0; row < n; row += 1) if (this.uniform() < probability) hits += 1;
    return hits;
  }
}

/** A window in which each of n rows is right with this probability. */
export function shareWindow(random: Random, n: number, probability: number): Window {
  return shareOf(random.hits(n, Math.min(1, Math.max(0, probability))), n);
}

/** A window of a share, with its interval. */
export function shareOf(hits: number, n: number): Window {
  const [low, high] = wilson(hits, n);
  return { value: hits / n, n, low, high };
}

/** A window of a mean absolute error, with its interval: of normal errors, or where some are many times as large. */
export function errorWindow(random: Random, n: number, scale: number, isHeavy: boolean): Window {
  const errors = Array.from({ length: n }, () => {
    const error = random.normal();
    return scale * (isHeavy ? Math.exp(error) : Math.abs(error));
  });
  const value = errors.reduce((one, other) => one + other, 0) / n;
  const squares = errors.reduce((one, other) => one + other ** 2, 0) / n;
  const relative = 1.959963984540054 * Math.sqrt((squares / value ** 2 - 1) / (n - 1));
  return { value, n, low: value * Math.exp(-relative), high: value * Math.exp(1.1 * relative + 4 / (n - 1)) };
}

/** A window of a ROC AUC, with its interval: one row in five is positive. */
export function aucWindow(random: Random, n: number, area: number): Window {
  const scores = SCORES['exponential']?.(area);
  if (scores === undefined) throw new Error('there are no such scores');
  const draw = (): number => random.uniform();
  const scored = Array.from({ length: n }, (_, row) => {
    const positive = row % 5 === 0;
    return { positive, m: 1, score: (positive ? scores.positive : scores.negative)(draw) };
  });
  const ranking = rank(scored, (part) => part);
  const [low, high] = aucInterval(ranking) ?? [];
  return { value: ranking.auc, n, low, high };
}
