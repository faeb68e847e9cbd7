import { classLabelsOf } from './class-labels.ts';
import type { CheckOptions } from './options.ts';
import type { Evidence, OutputMeaning } from './output-evidence.ts';
import { GraphSession } from '../inference/graph-session.ts';
import { batchOfRows, type JsonRow } from '../inference/json-rows.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { checkTensorsOnly, outputReader } from '../inference/outputs.ts';
import type { Predictions } from '../inference/predictions.ts';
import { ModelSession } from '../inference/session.ts';
import { meaningOfValues } from './meaning-of-values.ts';
import { outputMeaning } from './output-meaning.ts';
import type { Signature } from '../inference/signature.ts';
import { checkOwnLabels, checkPredictions, withoutMargins } from './check-predictions.ts';
import { activated } from './logits.ts';
import { runSamples } from './sample-runs.ts';
import { SILENT, type Reference } from '../to-sql/differences.ts';

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
  readonly options: CheckOptions;
};

/**
 * Loads a model, learns from a run what its outputs mean, and scores the samples through the code that the scorers use.
 * @throws PgscoreError for each way a model can fail at that
 */
export async function tryModel(model: Normalised, preparation: Preparation): Promise<Trial> {
  const { inputs, features, samples, options } = preparation;
  const { outline, batch } = model;
  const graph = await GraphSession.load(outline.bytes, 1);
  if (graph.outputs.length === 0) checkTensorsOnly(outline);
  const warnings: string[] = [];
  const { observed, values } = await runSamples(graph, { inputs, features, batch }, samples, warnings);
  const classLabels = (): string[] => classLabelsOf(model, options);
  const meaning = meaningOfTensors({ outline, observed, options, values }, classLabels, warnings);
  const assumed = { inputs, features, ...meaning, batch };
  const returned = await predictRows(asReturned(graph, assumed), samples);
  if (options.logits !== true) {
    const signature = withoutMargins(assumed, returned, warnings);
    const kept = signature === assumed ? returned : await predictRows(asReturned(graph, signature), samples);
    return scoreSamples(graph, { model, signature, returned: kept }, samples, warnings);
  }
  const made = activated(model, assumed, returned);
  await graph.release();
  const activatedGraph = await GraphSession.load(made.model.outline.bytes, 1);
  const probable = await predictRows(asReturned(activatedGraph, made.signature), samples);
  return scoreSamples(activatedGraph, { ...made, returned: probable }, samples, warnings);
}

/** A model of which it is known what its outputs mean, and the numbers that it returned for the samples. */
type Understood = { readonly model: Normalised; readonly signature: Signature; readonly returned: Predictions };

/** Checks what a model returned for the samples, and scores them as scorers do. */
async function scoreSamples(
  graph: GraphSession,
  { model, signature, returned }: Understood,
  samples: readonly JsonRow[],
  warnings: string[],
): Promise<Trial> {
  checkPredictions(signature, returned, warnings);
  await checkOwnLabels(graph, signature, samples, returned, warnings);
  const session = new ModelSession(graph, signature);
  return { model, session, predictions: await predictRows(session, samples), warnings };
}

/** Gives the numbers of a model as they are. */
function asReturned(graph: GraphSession, signature: Signature): ModelSession {
  return new ModelSession(
    graph,
    signature,
    outputReader(signature, (number) => number),
  );
}

export async function predictRows(session: ModelSession, rows: readonly JsonRow[]): Promise<Predictions> {
  const { batch, unread } = batchOfRows(session.signature.features, rows);
  return session.predict(batch, unread);
}

/**
 * What the tensors among the outputs mean. Maps and sequences are left out only where probabilities or numbers stay.
 * @throws PgscoreError model_outputs_unsupported, and what outputMeaning() throws
 */
function meaningOfTensors(evidence: Evidence, classLabels: () => string[], warnings: string[]): OutputMeaning {
  try {
    const meaning =
      meaningOfValues(evidence, classLabels, warnings) ??
      outputMeaning({ ...evidence, classLabels: classLabels() }, warnings);
    if (Object.keys(meaning.outputs).every((output) => output === 'label')) checkTensorsOnly(evidence.outline);
    return meaning;
  } catch (error) {
    checkTensorsOnly(evidence.outline);
    throw error;
  }
}

/** Of rows and classes; as JSON they come to 40 MB. */
const MOST_NUMBERS = 2_000_000;

/** What a model says of rows, to prove a compiled function by; null where that is too much. */
export async function referenceFor(session: ModelSession, asked: readonly JsonRow[]): Promise<Reference | null> {
  if (asked.length * Math.max(1, session.signature.classLabels.length) > MOST_NUMBERS) return null;
  const { score, label, probabilities, errors } = await predictRows(session, asked);
  const rows = asked.flatMap((_, row) => ((errors.get(row)?.code ?? SILENT) === SILENT ? [row] : []));
  const classes = session.signature.classLabels.length;
  return {
    rows,
    score: rows.map((row) => orNull(score[row])),
    label: label && rows.map((row) => label[row] ?? 0),
    probabilities:
      probabilities &&
      rows.flatMap((row) => [...probabilities.subarray(row * classes, (row + 1) * classes)].map(orNull)),
    silent: rows.flatMap((row, index) => (errors.has(row) ? [index] : [])),
  };
}

function orNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}
