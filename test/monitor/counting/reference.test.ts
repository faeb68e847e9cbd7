import { expect, test } from '@jest/globals';

import { asOf, DAY_MS, DEFAULTS, type Pairing, type Settings } from './record.ts';
import { type Counted, count } from './reference.ts';
import { day, EXAMPLES } from './worked-examples.ts';

type Example = keyof typeof EXAMPLES;

function seen(example: Example, now: number, settings: Partial<Settings> = {}): Counted[] {
  return count(asOf(EXAMPLES[example], day(now)), { ...DEFAULTS, ...settings }, 'day', day(now));
}

function dayOf(counted: readonly Counted[], number: number, version = 1): Counted | undefined {
  const window = new Date(day(number)).toISOString().slice(0, 10);
  return counted.find((each) => each.window === window && each.version === version);
}

type Line = [
  use: Example,
  seen: number,
  day: number,
  nPredictions: number,
  nSuperseded: number,
  nAwaiting: number,
  nLabeled: number,
  coverage: number | null,
  mature: boolean,
  version?: number,
];

const WORKED: Line[] = [
  ['a', 1, 1, 4, 0, 4, 0, 0, false],
  ['a', 3, 1, 4, 0, 2, 2, 0.5, false],
  ['a', 4, 1, 4, 0, 1, 3, 0.75, false],
  ['b', 3, 5, 12, 8, 4, 0, 0, false],
  ['b', 6, 5, 12, 8, 1, 3, 0.75, false],
  ['b', 8, 5, 20, 16, 1, 3, 0.75, false],
  ['c', 2, 1, 4, 0, 3, 1, 0.25, false],
  ['c', 3, 1, 4, 3, 0, 1, 1, true],
  ['c', 4, 2, 4, 4, 0, 0, null, false],
  ['c', 4, 3, 4, 0, 4, 0, 0, false],
  ['c', 5, 3, 4, 0, 0, 4, 1, true],
  ['d', 1.9, 1, 8, 0, 7, 1, 0.125, false],
  ['d', 4, 1, 8, 7, 0, 1, 1, true],
  ['e', 1.9, 1, 6, 0, 4, 2, 2 / 6, false],
  ['e', 3.2, 1, 6, 4, 0, 2, 1, true],
  ['f', 4, 3, 4, 0, 2, 2, 0.5, false],
  ['f', 4, 1, 4, 0, 2, 2, 0.5, false, 2],
  ['g', 1.9, 1, 6, 0, 6, 0, 0, false],
  ['g', 4, 1, 6, 2, 2, 2, 0.5, false],
  ['h', 5, 1, 2, 2, 0, 0, null, false],
  ['h', 5, 2, 2, 1, 0, 1, 1, true],
  ['h', 5, 3, 2, 0, 1, 1, 0.5, false],
  ['h', 400, 1, 2, 1, 0, 1, 1, true],
];

test.each(WORKED)(
  'use (%s) seen on day %d: day %d has %d predictions, %d superseded, %d awaiting, %d labeled, coverage %d, mature %s',
  (use, now, of, nPredictions, nSuperseded, nAwaiting, nLabeled, labelCoverage, isMature, version = 1) => {
    expect(dayOf(seen(use, now), of, version)).toMatchObject({
      nPredictions,
      nSuperseded,
      nAwaiting,
      nLabeled,
      labelCoverage,
      isMature,
    });
  },
);

type Last = [use: Example, days: number[], now: number, labeled: Partial<Record<Pairing, number[]>>];

const LAST: Last[] = [
  ['a', [1], 4, { latest_before_label: [3], first: [3], latest: [3], all: [3] }],
  ['b', [5], 8, { latest_before_label: [3], first: [3], latest: [3], all: [3] }],
  [
    'c',
    [1, 2, 3, 4, 5],
    5,
    {
      latest_before_label: [1, 0, 4, 0, 0],
      first: [4, 0, 0, 0, 0],
      latest: [0, 0, 0, 0, 4],
      all: [4, 4, 4, 4, 4],
      within: [1, 4, 4, 0, 0],
    },
  ],
  ['d', [1, 2], 4, { latest_before_label: [1, 1], first: [2, 0], latest: [0, 2], all: [8, 8] }],
  ['e', [1, 2], 3.2, { latest_before_label: [2, 0], first: [2, 0], latest: [0, 2], all: [4, 2] }],
  ['f', [1, 2, 3], 4, { latest_before_label: [0, 0, 2], first: [2, 0, 0], latest: [0, 0, 2], all: [2, 2, 2] }],
  ['g', [1, 2], 4, { latest_before_label: [2, 0], first: [2, 0], latest: [1, 1], all: [4, 1] }],
  ['h', [1, 2, 3], 400, { latest_before_label: [1, 1, 1], first: [2, 0, 0], latest: [0, 0, 2], all: [2, 2, 2] }],
];

const UNDER = LAST.flatMap(([use, days, now, labeled]) =>
  (Object.entries(labeled) as [Pairing, number[]][]).map(([pairing, numbers]) => ({
    use,
    days,
    now,
    pairing,
    numbers,
  })),
);

test.each(UNDER)('use ($use) under $pairing: labeled by day $numbers', ({ use, days, now, pairing, numbers }) => {
  const counted = seen(use, now, { pairing, horizon: 2 * DAY_MS });
  expect(days.map((number) => dayOf(counted, number)?.nLabeled)).toEqual(numbers);
});

test.each(UNDER)('use ($use) under $pairing: every prediction is exactly one of three', ({ use, now, pairing }) => {
  for (const { nPredictions, nLabeled, nAwaiting, nSuperseded } of seen(use, now, { pairing }))
    expect(nLabeled + nAwaiting + nSuperseded).toBe(nPredictions);
});

test('under first the first night is judged, under the default the last before the landing', () => {
  const nights = EXAMPLES.b.predictions.map((prediction, index) => ({ ...prediction, score: index }));
  const judged = (pairing: Pairing) => {
    const regression = nights.map((prediction) => ({ ...prediction, label: null }));
    const tellings = EXAMPLES.b.tellings.map((telling) => ({ ...telling, truth: '0' }));
    const [only] = count({ predictions: regression, tellings }, { ...DEFAULTS, pairing }, 'day', day(8));
    return only?.sumError;
  };
  expect(judged('first')).toBe(0 + 1 + 2);
  expect(judged('latest_before_label')).toBe(8 + 9 + 10);
});

test('all counts many pairs of an entity, which are worth as many as there are entities', () => {
  expect(dayOf(seen('c', 5, { pairing: 'all' }), 4)?.nEffective).toBe(4);
  expect(dayOf(seen('d', 4, { pairing: 'all' }), 1)).toMatchObject({ nLabeled: 8, nEffective: 2 });
});
