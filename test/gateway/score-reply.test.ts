import { expect, test } from '@jest/globals';

import type { Answer } from '../../src/gateway/answer.ts';
import { scoreReply } from '../../src/gateway/score-reply.ts';
import type { Predictions } from '../../src/model/predictions.ts';
import { MessageSplitter } from '../support/message-splitter.ts';
import { SIGNATURE } from './test-server.ts';
import { rowsOf, type Reply } from './wire-client.ts';

const LABELS = ['no', 'ÿes ☃'];

function rows(predictions: Partial<Predictions>, classLabels = LABELS): (string | null)[][] {
  const whole = {
    rows: 1,
    score: Float64Array.of(0),
    label: null,
    probabilities: null,
    errors: new Map(),
    ...predictions,
  };
  const answer = {
    signature: { ...SIGNATURE, classLabels },
    parts: [{ predictions: whole, from: 0, rows: whole.rows }],
  };
  return rowsOf(repliesOf(answer));
}

function repliesOf(answer: Answer): Reply[] {
  const replies: Reply[] = [];
  const splitter = new MessageSplitter((message) =>
    replies.push({ type: String.fromCharCode(message[0]!), body: message.subarray(5) }),
  );
  for (const piece of scoreReply(answer)) splitter.push(piece);
  return replies;
}

test('numbers are written in full', () => {
  const score = Float64Array.of(0.1 + 0.2, -0, 1e21, 5e-324, 1.7976931348623157e308);
  expect(rows({ rows: 5, score }, []).map(([text]) => Number(text))).toEqual([...score].map((value) => value + 0));
});

test('what is not finite is written as PostgreSQL reads it, and in JSON as text', () => {
  const score = Float64Array.of(Number.NaN, Infinity, -Infinity);
  expect(rows({ rows: 3, score }, [])).toEqual([
    ['NaN', null, null],
    ['Infinity', null, null],
    ['-Infinity', null, null],
  ]);
  const probabilities = Float64Array.of(Number.NaN, Infinity);
  expect(rows({ label: Int32Array.of(1), probabilities })).toEqual([['0', 'ÿes ☃', '["NaN","Infinity"]']]);
});

test('a classifier answers with its label and all probabilities in their order', () => {
  const probabilities = Float64Array.of(0.25, 0.75);
  const [row] = rows({ score: Float64Array.of(0.75), label: Int32Array.of(1), probabilities });
  expect(row).toEqual(['0.75', 'ÿes ☃', '[0.25,0.75]']);
});

test('a classifier that gives labels only has no score', () => {
  expect(rows({ score: Float64Array.of(Number.NaN), label: Int32Array.of(0) })).toEqual([[null, 'no', null]]);
});

test('a long reply comes in pieces, whole all together', () => {
  const score = Float64Array.from({ length: 20_000 }, (_, row) => row / 7);
  const predictions = { rows: 20_000, score, label: null, probabilities: null, errors: new Map() };
  const answer = { signature: SIGNATURE, parts: [{ predictions, from: 0, rows: 20_000 }] };
  expect([...scoreReply(answer)].length).toBeGreaterThan(5);
  const replies = repliesOf(answer);
  expect(replies.map(({ type }) => type).join('')).toBe(`T${'D'.repeat(20_000)}CZ`);
  expect(replies.at(-2)?.body.toString()).toBe('SCORE 20000\0');
});
