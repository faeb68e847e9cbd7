import { describe, expect, test } from '@jest/globals';
import type { Answer } from '../../../src/online/requests/call.ts';
import { columnsReply, scoreOnlyReply, scoreReply } from '../../../src/online/requests/reply.ts';
import type { Predictions } from '../../../src/inference/predictions.ts';
import { MessageSplitter } from '../../support/message-splitter.ts';
import { SIGNATURE } from '../test-server.ts';
import { rowsOf, type Reply } from '../wire-client.ts';

const LABELS = ['no', 'ÿes ☃'];

function rows(predictions: Partial<Predictions>, classLabels = LABELS): (string | null)[][] {
  return rowsOf(repliesOf(scoreReply(answerOf(predictions, classLabels))));
}

function answerOf(predictions: Partial<Predictions>, classLabels = LABELS): Answer {
  const whole = {
    rows: 1,
    score: Float64Array.of(0),
    label: null,
    probabilities: null,
    errors: new Map(),
    ...predictions,
  };
  return { signature: { ...SIGNATURE, classLabels }, parts: [{ predictions: whole, from: 0, rows: whole.rows }] };
}

function repliesOf(pieces: Iterable<Uint8Array>): Reply[] {
  const replies: Reply[] = [];
  const splitter = new MessageSplitter((message) =>
    replies.push({ type: String.fromCharCode(message[0]!), body: message.subarray(5) }),
  );
  for (const piece of pieces) splitter.push(Buffer.from(piece));
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
  const replies = repliesOf(scoreReply(answer));
  expect(replies.map(({ type }) => type).join('')).toBe(`T${'D'.repeat(20_000)}CZ`);
  expect(replies.at(-2)?.body.toString()).toBe('SCORE 20000\0');
});

test('one score is written as the tag of a command, and nothing else', () => {
  for (const [score, tag] of [
    [1 / 3, '0.3333333333333333'],
    [-1.7976931348623157e308, '-1.7976931348623157e+308'],
    [Infinity, 'Infinity'],
  ] as const) {
    const reply = Buffer.from(scoreOnlyReply(answerOf({ score: Float64Array.of(score) })), 'latin1');
    const [complete, ready, ...others] = repliesOf([reply]);
    expect([complete!.type, complete!.body.toString(), ready!.type, others]).toEqual(['C', `${tag}\0`, 'Z', []]);
  }
});

describe('columns', () => {
  const part = (predictions: Partial<Predictions>, from: number, count: number): Answer['parts'][number] => ({
    ...answerOf(predictions).parts[0]!,
    from,
    rows: count,
  });
  const columns = (answer: Answer): unknown => rowsOf(repliesOf(columnsReply(answer)));

  test('hold the rows of all parts in their order, and no rows of others', () => {
    const probabilities = Float64Array.of(9, 9, 0.25, 0.75, 0.5, 0.5);
    const first = { rows: 3, score: Float64Array.of(9, 0.75, 0.5), label: Int32Array.of(0, 1, 0), probabilities };
    const second = { score: Float64Array.of(1), label: Int32Array.of(1), probabilities: Float64Array.of(0, 1) };
    const answer = { ...answerOf({}), parts: [part(first, 1, 2), part(second, 0, 1)] };
    expect(columns(answer)).toEqual([['{0.75,0.5,1}', '{2,1,2}', '{0.25,0.75,0.5,0.5,0,1}']]);
    expect(repliesOf(columnsReply(answer)).map(({ type }) => type)).toEqual(['T', 'D', 'C', 'Z']);
  });

  test('are NULL where a regression has no labels, and the scores where a classifier has none', () => {
    expect(columns(answerOf({ score: Float64Array.of(Number.NaN) }, []))).toEqual([['{NaN}', null, null]]);
    const labels = { rows: 2, score: Float64Array.of(Number.NaN, Number.NaN), label: Int32Array.of(0, -1) };
    expect(columns(answerOf(labels))).toEqual([['{NULL,NULL}', '{1,0}', null]]);
  });
});
