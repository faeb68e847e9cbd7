import { classLabelsOf } from './class-labels.ts';
import type { DeployOptions } from './deploy-options.ts';
import { GraphSession } from '../inference/graph-session.ts';
import { batchOfRows, type JsonRow, type JsonBatch } from '../inference/json-rows.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { checkTensorsOnly, outputReader, observedOutputs, type ObservedOutput } from '../inference/outputs.ts';
import type { Predictions } from '../inference/predictions.ts';
import { ModelSession } from '../inference/session.ts';
import { outputMeaning } from './output-meaning.ts';
import type { Signature } from '../inference/signature.ts';
import { checkOwnLabels, checkPredictions } from './check-predictions.ts';
import { paddedRowsOf } from '../inference/feed.ts';
import { buildFeeds, TextCache } from '../inference/feeds.ts';
import { runFailure } from '../inference/ort-errors.ts';

/** A model that loaded, scored the samples, and was understood. */
export type Trial = {
  readonly model: Normalised;
  readonly session: ModelSession;
  readonly predictions: Predictions;
  readonly warnings: string[];
};

/** What is known before a model runs, and the rows to run it on. */
export type Preparation = Pick<Signature, 'inputs' | 'features'> & {
  readonly samples: readonly JsonRow[];
  readonly options: DeployOptions;
};

/**
 * Loads a model, learns from a run what its outputs mean, and scores the samples through the code that the scorers use.
 * @throws PgscoreError for each way a model can fail at that
 */
export async function tryModel(model: Normalised, preparation: Preparation): Promise<Trial> {
  const { inputs, features, samples, options } = preparation;
  const { outline, batch } = model;
  checkTensorsOnly(outline);
  const graph = await GraphSession.load(outline.bytes, 1);
  const observed = await observe(graph, { inputs, features, batch }, batchOfRows(features, samples));
  const warnings: string[] = [];
  const classLabels = classLabelsOf(model, options);
  const meaning = outputMeaning({ outline, observed, classLabels, options }, warnings);
  const signature = { inputs, features, ...meaning, batch };
  const asReturned = new ModelSession(
    graph,
    signature,
    outputReader(signature, (probability) => probability),
  );
  const returned = await predictRows(asReturned, samples);
  checkPredictions(signature, returned, warnings);
  await checkOwnLabels(graph, signature, samples, returned, warnings);
  const session = new ModelSession(graph, signature);
  return { model, session, predictions: await predictRows(session, samples), warnings };
}

export async function predictRows(session: ModelSession, rows: readonly JsonRow[]): Promise<Predictions> {
  const { batch, unread } = batchOfRows(session.signature.features, rows);
  return session.predict(batch, unread);
}

/**
 * Runs the graph on sample rows, one at a time, until it takes one, and returns what came back: real types and shapes.
 * @throws PgscoreError model_run_failed where it takes none, model_output_rows
 */
async function observe(
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
