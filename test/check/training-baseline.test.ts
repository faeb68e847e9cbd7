import { describe, expect, test } from '@jest/globals';
import type { Feature } from '../../src/inference/signature.ts';
import { trainedUntil, trainingBaseline } from '../../src/check/training-metadata.ts';

const feature = (name: string, type: Feature['type'], width = 1): Feature => ({
  name,
  input: name,
  position: 0,
  type,
  width,
  nulls: 'error',
});
const FEATURES = [feature('x', 'float32'), feature('vector', 'float32', 3), feature('color', 'string')];
const GOOD = {
  x: { edges: [0, 1, 4], counts: [30, 10], missing: 2, mean: 1.25 },
  color: { categories: { red: 3, blue: 9 }, missing: 1 },
};

const read = (text: string) => trainingBaseline({ 'pgscore.baseline': text }, FEATURES);

test.each([
  ['2026-06-30', '2026-06-30T00:00:00.000Z'],
  ['2026-06-30 12:30', '2026-06-30T12:30:00.000Z'],
  ['2026-06-30T12:30:00+02:00', '2026-06-30T10:30:00.000Z'],
  ['', null],
])('a file whose metadata say %j was trained until %j', (text, time) => {
  expect(trainedUntil({ 'pgscore.trained_until': text })).toEqual({ trainedUntil: time, warnings: [] });
});

test('what is no time is not used, with a warning', () => {
  expect(trainedUntil({ 'pgscore.trained_until': 'soon' })).toEqual({
    trainedUntil: null,
    warnings: [expect.stringContaining("'pgscore.trained_until' is not used")],
  });
});

test('a model without training statistics has none, and no warning', () => {
  expect(trainingBaseline({ owner: 'me' }, FEATURES)).toEqual({ baseline: null, warnings: [] });
});

test('numbers come as a histogram, categories with their counts, arrays not at all', () => {
  expect(read(JSON.stringify(GOOD))).toEqual({
    warnings: [],
    baseline: [
      {
        feature: 1,
        counts: [2, 0, 30, 10, 0],
        measured: 40,
        sum: 50,
        low: 0,
        high: 4,
        edges: [1],
        centers: [0.5, 2.5],
      },
      { feature: 3, counts: [1, 0, 9, 3, 0], measured: 0, sum: 0, categories: ['blue', 'red'], others: [] },
    ],
  });
});

test('of many categories the fifty most frequent have a bin, and with others that are not named none is new', () => {
  const categories = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`c${n}`, n]));
  const { baseline } = read(JSON.stringify({ ...GOOD, color: { categories } }));
  expect(baseline?.[1]).toMatchObject({ others: ['c9', 'c8', 'c7', 'c6', 'c5', 'c4', 'c3', 'c2', 'c1', 'c0'] });
  expect(baseline?.[1]?.counts).toHaveLength(53);
  expect(baseline?.[1]?.counts.at(-1)).toBe(45);
  const more = read(JSON.stringify({ ...GOOD, color: { categories, other: 7 } }));
  expect([more.baseline?.[1]?.others, more.baseline?.[1]?.counts.at(-1)]).toEqual([null, 52]);
});

describe('statistics that are of no use are a warning, and the model is taken without them:', () => {
  const x = (statistics: unknown): string => JSON.stringify({ ...GOOD, x: statistics });
  const color = (statistics: unknown): string => JSON.stringify({ ...GOOD, color: statistics });
  const long = Array.from({ length: 102 }, (_, n) => n);

  test.each<[what: string, text: string, reason: RegExp]>([
    ['no JSON', '{', /not JSON/],
    ['too long', JSON.stringify({ ...GOOD, note: 'x'.repeat(2 ** 20) }), /characters/],
    ['deep nesting', '['.repeat(200_000), /not JSON/],
    ['an array', '[]', /not a JSON object/],
    ['a feature less', JSON.stringify({ color: GOOD.color }), /'x' is not among them/],
    ['a feature of Object', '{"__proto__": {"x": {}}}', /'x' is not among them/],
    ['edges that do not ascend', x({ edges: [0, 0, 1], counts: [1, 1] }), /do not ascend/],
    ['edges that are infinite', '{"x": {"edges": [0, 1e999], "counts": [1]}}', /no number/],
    ['edges that are far', x({ edges: [0, 1e60], counts: [1] }), /no number/],
    ['edges that are texts', x({ edges: ['0', '1'], counts: [1] }), /no number/],
    ['counts for other edges', x({ edges: [0, 1, 2], counts: [1] }), /not a count less/],
    ['too many bins', x({ edges: long, counts: long.slice(1) }), /array of 2 to 101/],
    ['negative counts', x({ edges: [0, 1], counts: [-1] }), /no count/],
    ['fractions', x({ edges: [0, 1], counts: [0.5] }), /no count/],
    ['counts past what a number holds', x({ edges: [0, 1], counts: [2 ** 53] }), /no count/],
    ['counts that add up past it', x({ edges: [0, 1], counts: [2 ** 53 - 1], missing: 2 ** 53 - 1 }), /too many/],
    ['no row', x({ edges: [0, 1], counts: [0] }), /counts no row/],
    ['a mean outside', x({ edges: [0, 1], counts: [1], mean: 2 }), /mean/],
    ['categories in an array', color({ categories: ['red'] }), /not a JSON object/],
    ['a long category', color({ categories: { ['ü'.repeat(101)]: 1 } }), /200 bytes/],
    ['a category that PostgreSQL cannot hold', color({ categories: { 'a\0b': 1 } }), /no text/],
    ['half of a character', color({ categories: { '\ud83d': 1 } }), /no text/],
    [
      'too many categories',
      color({ categories: Object.fromEntries(Array.from({ length: 1051 }, (_, n) => [n, 1])) }),
      /1050/,
    ],
  ])('%s', (_, text, reason) => {
    const { baseline, warnings } = read(text);
    expect(baseline).toBeNull();
    expect(warnings).toEqual([
      expect.stringMatching(/^the training statistics in the metadata 'pgscore\.baseline' are not used: /),
    ]);
    expect(warnings[0]).toMatch(reason);
    expect(warnings[0]?.length).toBeLessThan(300);
  });
});
