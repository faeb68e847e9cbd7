import type pg from 'pg';
import { CopyWriter } from '../copy/write.ts';
import { PredictionEncoder } from '../copy/encode.ts';
import type { Run } from '../runs/run.ts';
import { copyPredictions } from './predictions-table.ts';
import type { ScoredStream } from './scored-stream.ts';

/** Writes the predictions of a stream into one generation, as fast as the server takes them. */
export async function writePredictions(
  client: pg.Client,
  run: Run,
  generation: number,
  scored: ScoredStream,
): Promise<void> {
  const { target } = run;
  const encoder = new PredictionEncoder({
    generation,
    runId: run.runId,
    classLabels: target.classLabels,
    probabilityColumns: target.probabilityColumns,
  });
  const writer = await CopyWriter.open(client, copyPredictions(target, generation));
  try {
    for await (const { decoded, predictions } of scored) await writer.write(encoder.encode(decoded, predictions));
    await writer.finish();
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}
