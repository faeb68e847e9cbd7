import type { RecordBatch } from 'apache-arrow';
import { readBatches } from '../copy/read.ts';
import { awaited } from './in-order.ts';
import type { Job } from '../runs/job.ts';
import type { Reading } from './read-source.ts';
import { MOST_AHEAD } from './scored-stream.ts';
import { sourceColumns } from './source-columns.ts';
import { rangeSteps, sourceQuery } from './source-query.ts';
import type { Tools } from './tools.ts';

const PLACES = 16;
const PAGES_EACH = 8;

/**
 * Some rows from all over the source of a shard, under the snapshot of its run: the first ones are unlike the rest in a
 * table that is in the order of its time. None for a run in one piece, which is read from its beginning anyway.
 */
export async function sampleSource(job: Job, { client }: Reading, tools: Tools): Promise<RecordBatch[]> {
  const { run, shard } = job;
  const batches: RecordBatch[] = [];
  let bytes = 0;
  for (let place = 0; shard !== null && place < PLACES && bytes < MOST_AHEAD; place += 1) {
    const from = Math.floor((place * run.pages) / PLACES);
    const part = { ...job, shard: { ...shard, from, to: from + PAGES_EACH } };
    const options = { rows: tools.batchRows, signal: tools.signal, before: rangeSteps(part), after: [] };
    const read = readBatches(client, sourceQuery(part), sourceColumns(run), options);
    for await (const { batch } of awaited(read, tools.onWait)) {
      if (bytes < MOST_AHEAD) batches.push(batch);
      bytes += batch.data.byteLength;
    }
  }
  return batches;
}
