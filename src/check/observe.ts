import { paddedRowsOf } from '../inference/feed.ts';
import { buildFeeds } from '../inference/feeds.ts';
import type { GraphSession } from '../inference/graph-session.ts';
import type { JsonBatch } from '../inference/json-rows.ts';
import { observedOutputs } from '../inference/observed-output.ts';
import type { ObservedOutput } from '../inference/observed-output.ts';
import { runFailure } from '../inference/ort-errors.ts';
import type { Signature } from '../inference/signature.ts';
import { TextCache } from '../inference/text-cache.ts';

/**
 * Runs the graph on sample rows, one at a time, until it takes one, and returns what came back: real types and shapes.
 * @throws PgscoreError model_run_failed where it takes none, model_output_rows
 */
export async function observe(
  graph: GraphSession,
  { inputs, features, batch }: Pick<Signature, 'inputs' | 'features' | 'batch'>,
  samples: JsonBatch,
): Promise<ObservedOutput[]> {
  const { rows, feeds } = buildFeeds(samples.batch, { inputs, features }, new TextCache(), samples.unread);
  const size = batch ?? 1;
  let failure: unknown;
  for (let row = 0; row < rows; row += 1) {
    const taken = feeds.map((feed) => ({ input: feed.input, data: paddedRowsOf(feed, row, row + 1, size) }));
    const outputs = await graph.run(taken, size, graph.outputs).catch((error: unknown) => {
      failure = error;
    });
    if (outputs !== undefined) return observedOutputs(outputs, size);
  }
  throw runFailure(failure);
}
