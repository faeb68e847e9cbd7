import { expect, test } from '@jest/globals';
import { Table, Utf8, vectorFromArray } from 'apache-arrow';
import type { Job } from '../../src/runs/job.ts';
import type { PredictionCount } from '../../src/scorer/count.ts';
import { CountedArm, ScoredStream, type Scored } from '../../src/scorer/scored-stream.ts';
import type { ScorerContext } from '../../src/scorer/context.ts';

/** A stream of ten batches of a hundred rows, each a text of so many bytes. */
function streamOf(bytes: number): ScoredStream {
  const texts = Array.from({ length: 100 }, () => 'x'.repeat(bytes));
  const [batch] = new Table({ text: vectorFromArray(texts, new Utf8()) }).batches;
  const scored = {
    arm: 0,
    decoded: { rows: 100, batch },
    predictions: { rows: 100, errors: new Map() },
  } as unknown as Scored;
  async function* source(): AsyncGenerator<readonly Scored[]> {
    for (let n = 0; n < 10; n += 1) yield await Promise.resolve([scored]);
  }
  const context = { onProgress: () => undefined } as unknown as ScorerContext;
  const count = { add: () => undefined } as unknown as PredictionCount;
  const job = { run: { errorLimit: null } } as unknown as Job;
  return new ScoredStream(job, context, source(), [new CountedArm(job.run, count)]);
}

test.each([
  ['as many rows as are asked for', 10, 500, { rows: 500, areAll: false }],
  ['all rows where there are no more', 10, 5000, { rows: 1000, areAll: true }],
  ['fewer where they would fill the memory', 200_000, 5000, { rows: 400, areAll: false }],
])('a job reads ahead %s', async (_, bytes, wanted, expected) => {
  const stream = streamOf(bytes);
  const areAll = await stream.readAhead(wanted);
  expect({ rows: stream.rowsDone, areAll }).toEqual(expected);
  let left = 0;
  for await (const { predictions } of stream) left += predictions.rows;
  expect(left).toBe(1000);
});
