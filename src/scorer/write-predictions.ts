import type pg from 'pg';
import { HEADER, TRAILER } from '../copy/format.ts';
import { CopyWriter } from '../copy/write.ts';
import { PredictionEncoder } from '../copy/encode.ts';
import { Step } from '../db/trip.ts';
import type { Run } from '../runs/run.ts';
import { copyPredictions } from './predictions-table.ts';
import type { Scored, ScoredStream } from './scored-stream.ts';

/** Writes the predictions of a stream into one generation, as fast as the server takes them. */
export async function writePredictions(
  client: pg.Client,
  run: Run,
  generation: number,
  scored: ScoredStream,
): Promise<void> {
  const writer = await CopyWriter.open(client, copyPredictions(run.target, generation));
  try {
    const encoder = encoderOf(run, generation);
    for await (const { decoded, predictions } of scored) await writer.write(encoder.encode(decoded, predictions));
    await writer.finish();
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}

/** The same for the few predictions of a small run, as a step of the trip that publishes them. */
export function predictionsStep(run: Run, generation: number, batches: readonly Scored[]): Step {
  const encoder = encoderOf(run, generation);
  const data = batches.map(({ decoded, predictions }) => encoder.encode(decoded, predictions));
  return new Step({ text: copyPredictions(run.target, generation) }, [HEADER, ...data, TRAILER]);
}

function encoderOf({ runId, target }: Run, generation: number): PredictionEncoder {
  const { classLabels, probabilityColumns } = target;
  return new PredictionEncoder({ generation, runId, classLabels, probabilityColumns });
}
