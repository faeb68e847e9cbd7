import type pg from 'pg';
import { HEADER, TRAILER } from '../copy/format.ts';
import { CopyWriter } from '../copy/write.ts';
import { PredictionEncoder } from '../copy/encode.ts';
import { Step } from '../postgres/pipeline-statement.ts';
import type { Run } from '../runs/run.ts';
import { copyPredictions } from './predictions-table.ts';
import type { Scored, ScoredStream } from './scored-stream.ts';

/** Writes the predictions of a stream into a generation of the run's own, as fast as the server takes them. */
export async function writePredictions(
  client: pg.Client,
  run: Run,
  generation: number,
  scored: ScoredStream,
): Promise<void> {
  const writer = await CopyWriter.open(client, copyPredictions(run, generation, 'default'));
  try {
    const encoder = encoderOf(run, null);
    for await (const { decoded, predictions, segments } of scored)
      await writer.write(encoder.encode(decoded, predictions, segments));
    await writer.finish();
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}

/** Writes the few predictions of a small run into a generation that others share, as a step of the trip that publishes them. */
export function predictionsStep(run: Run, generation: number, batches: readonly Scored[]): Step {
  const encoder = encoderOf(run, generation);
  const data = batches.map(({ decoded, predictions, segments }) => encoder.encode(decoded, predictions, segments));
  return new Step({ text: copyPredictions(run, generation, 'written') }, [HEADER, ...data, TRAILER]);
}

function encoderOf({ runId, target }: Run, generation: number | null): PredictionEncoder {
  const { classLabels, probabilityColumns } = target;
  const constants = generation === null ? null : { generation, runId };
  return new PredictionEncoder({ constants, classLabels, probabilityColumns });
}
