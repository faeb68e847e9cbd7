import { expect, test } from '@jest/globals';
import { predictionsOf, type Reference } from '../../src/to-sql/differences.ts';
import { signatureOf } from '../support/tree-models.ts';

const binary = signatureOf(2);
const sound: Reference = {
  rows: [0, 2],
  score: [0.25, null],
  label: [0, -1],
  probabilities: [0.75, 0.25, null, null],
  silent: [1],
};

test('a reference becomes the predictions that it was made of', () => {
  const { rows, score, label, probabilities, errors } = predictionsOf(sound, 3, binary);
  expect([rows, [...score], [...(label ?? [])], [...errors.keys()]]).toEqual([2, [0.25, Number.NaN], [0, -1], [1]]);
  expect([...(probabilities ?? [])]).toEqual([0.75, 0.25, Number.NaN, Number.NaN]);
});

test.each<[string, Partial<Reference>]>([
  ['a row that was not asked about', { rows: [0, 3] }],
  ['a row twice', { rows: [1, 1] }],
  ['no row', { rows: [-1, 2] }],
  ['part of a row', { rows: [0, 0.5] }],
  ['fewer scores than rows', { score: [0.25] }],
  ['fewer labels', { label: [0] }],
  ['no labels', { label: null }],
  ['fewer probabilities', { probabilities: [0.75, 0.25] }],
])('one of %s is none', (_, wrong) => {
  expect(() => predictionsOf({ ...sound, ...wrong }, 3, binary)).toThrow('answered for other rows');
});
