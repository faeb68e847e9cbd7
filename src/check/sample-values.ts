import { takenRows } from '../inference/arrays.ts';
import type { GraphSession } from '../inference/graph-session.ts';
import { paddedRowsOf } from '../inference/feed.ts';
import { buildFeeds, TextCache } from '../inference/feeds.ts';
import type { JsonBatch } from '../inference/json-rows.ts';
import type { Signature } from '../inference/signature.ts';

/** What the outputs were for the sample rows that the model took: by output, row and column. */
export type SampleValues = ReadonlyMap<string, readonly (readonly unknown[])[]>;

/** Runs the graph on each sample row by itself. */
export async function sampleValues(
  graph: GraphSession,
  { inputs, features, batch }: Pick<Signature, 'inputs' | 'features' | 'batch'>,
  samples: JsonBatch,
): Promise<SampleValues> {
  const { rows, feeds } = buildFeeds(samples.batch, { inputs, features }, new TextCache(), samples.unread);
  const size = batch ?? 1;
  const values = new Map<string, unknown[][]>();
  for (let row = 0; row < rows; row += 1) {
    const taken = feeds.map((feed) => {
      const one = takenRows(feed, [row]);
      return { input: one.input, data: paddedRowsOf(one, 0, 1, size) };
    });
    const outputs = await graph.run(taken, size, graph.outputs).catch(() => []);
    for (const { name, data } of outputs) {
      const of = values.get(name) ?? [];
      of.push(Array.from({ length: data.length / size }, (_, column) => data[column]));
      values.set(name, of);
    }
  }
  return values;
}
