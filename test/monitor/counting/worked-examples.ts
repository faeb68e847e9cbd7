import { DAY_MS, type Prediction, type RawRecord, type Telling } from './record.ts';

/** Day 1 is 1 March 2026; 1.5 is noon of it. */
export function day(number: number): number {
  return Date.UTC(2026, 1, 28) + Math.round(number * DAY_MS);
}

type Made = { readonly of: string; readonly at: number; readonly made?: number; readonly version?: number };
type Told = { readonly of: string; readonly known: number; readonly told?: number };

const NAMES = ['a', 'b', 'c', 'd'];

function record(made: readonly Made[], told: readonly Told[]): RawRecord {
  return {
    predictions: made.map(({ of, at, made: moment = at, version = 1 }): Prediction => ({
      version,
      entity: of,
      at: day(at),
      made: day(moment),
      score: 0.75,
      label: 'yes',
    })),
    tellings: told.map(({ of, known, told: moment = known }): Telling => ({
      entity: of,
      knownAt: day(known),
      told: day(moment),
      truth: 'yes',
    })),
  };
}

const run = (names: readonly string[], at: number, made = at, version = 1): Made[] =>
  names.map((of) => ({ of, at, made, version }));

const [a = '', b = '', c = '', d = ''] = NAMES;

/** The uses that docs/reference/metrics.md works out, by the letter that it gives them. */
export const EXAMPLES = {
  /** Four entities once; labels the days after. */
  a: record(run(NAMES, 1), [
    { of: a, known: 2 },
    { of: b, known: 2.5 },
    { of: c, known: 3.5 },
  ]),
  /** Four flights of day 5, scored night after night. */
  b: record(
    [1, 2, 3, 7, 8].flatMap((night) => run(NAMES, 5, night)),
    [a, b, c].map((of) => ({ of, known: 5.5 })),
  ),
  /** Four customers every night. */
  c: record(
    [1, 2, 3, 4, 5].flatMap((night) => run(NAMES, night)),
    [{ of: a, known: 1.5 }, ...NAMES.map((of) => ({ of, known: 3.9, told: 4.2 }))],
  ),
  /** Two entities four times a day. */
  d: record(
    [1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75].flatMap((at) => run([a, b], at)),
    [
      { of: a, known: 1.6 },
      { of: b, known: 2.6 },
    ],
  ),
  /** Runs, and calls about one of their entities. */
  e: record(
    [...run(NAMES, 1.1), ...run([a], 1.4), ...run([a], 1.5), ...run(NAMES, 2.1)],
    [
      { of: a, known: 1.6 },
      { of: b, known: 1.7 },
    ],
  ),
  /** A champion every night, its challenger once. */
  f: record(
    [1, 2, 3].flatMap((night) => [...run(NAMES, night), ...(night === 1 ? run(NAMES, night, night, 2) : [])]),
    [
      { of: a, known: 3.5 },
      { of: b, known: 3.5 },
    ],
  ),
  /** A watched table, of which one row changes. */
  g: record(
    [...run(NAMES, 1), ...[1.3, 1.6, 2.2].flatMap((at) => run([a], at))],
    [
      { of: a, known: 2.1 },
      { of: b, known: 3.5 },
    ],
  ),
  /** A label before everything, and one that is told on day 400. */
  h: record(
    [1, 2, 3].flatMap((night) => run([a, d], night)),
    [
      { of: a, known: 0.5 },
      { of: a, known: 2.5 },
      { of: a, known: 3.5 },
      { of: d, known: 1.5, told: 400 },
    ],
  ),
} as const satisfies Record<string, RawRecord>;
