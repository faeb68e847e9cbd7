import type pg from 'pg';
import { HEADER, TRAILER } from '../copy/format.ts';
import { CopyWriter } from '../copy/write.ts';
import { PredictionEncoder } from '../copy/encode.ts';
import { Step } from '../db/trip.ts';
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
  const writer = await CopyWriter.open(client, copyPredictions(run.target, generation));
  try {
    for await (const tuples of encoded(run, generation, scored)) await writer.write(tuples);
    await writer.finish();
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}

/** The same for the few predictions of a small run, as a step of the trip that publishes them. */
export async function predictionsStep(run: Run, generation: number, scored: ScoredStream): Promise<Step> {
  const data: Buffer[] = [HEADER];
  for await (const tuples of encoded(run, generation, scored)) data.push(tuples);
  return new Step({ text: copyPredictions(run.target, generation) }, [...data, TRAILER]);
}

async function* encoded({ runId, target }: Run, generation: number, scored: ScoredStream): AsyncGenerator<Buffer> {
  const { classLabels, probabilityColumns } = target;
  const encoder = new PredictionEncoder({ generation, runId, classLabels, probabilityColumns });
  for await (const { decoded, predictions } of scored) yield encoder.encode(decoded, predictions);
}
