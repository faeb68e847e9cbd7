import { PgscoreError } from '../errors.ts';
import { isFloat } from '../inference/signature.ts';
import type { ObservedOutput } from '../inference/outputs.ts';
import type { Outline } from '../onnx/outline.ts';
import { listOutputs, type OutputMeaning } from './output-evidence.ts';

/** What exporters call the vector of a row, the likeliest first: sentence-transformers, optimum, and networks by hand. */
const VECTOR_NAMES = [
  'sentence_embedding',
  'sentence_embeddings',
  'text_embeds',
  'image_embeds',
  'audio_embeds',
  'embedding',
  'embeddings',
  'pooler_output',
];

/** Whether there is a vector, by its name, and nothing beside it that could be a prediction. */
export function isPlainlyVector(observed: readonly ObservedOutput[]): boolean {
  return (
    namedVector(observed) !== undefined &&
    observed.every(({ name, type, rank }) => isFloat(type) && (rank > 1 || VECTOR_NAMES.includes(name)))
  );
}

/** The output that its name tells to be a vector; undefined where none does. */
function namedVector(observed: readonly ObservedOutput[]): ObservedOutput | undefined {
  const vectors = observed.filter(isVector);
  const name = VECTOR_NAMES.find((known) => vectors.some((output) => output.name === known));
  return vectors.find((output) => output.name === name);
}

function isVector({ type, width, rank, layers }: ObservedOutput): boolean {
  return isFloat(type) && width > 1 && rank <= 1 && layers === undefined;
}

/**
 * What the outputs of a model mean that gives a vector.
 * @throws PgscoreError model_outputs_unsupported, model_outputs_unclear
 */
export function meaningOfVector(observed: readonly ObservedOutput[]): OutputMeaning {
  const vectors = observed.filter(isVector);
  const [only, second] = vectors;
  const found = namedVector(observed) ?? (second === undefined ? only : undefined);
  if (found !== undefined) {
    const values = [{ name: found.name, width: found.width }];
    return { task: 'embedding', classLabels: [], valueNames: [], outputs: { values } };
  }
  const stepwise = observed.find(({ type, rank }) => isFloat(type) && rank > 1);
  if (vectors.length === 0 && stepwise !== undefined) throw vectorEach(stepwise);
  if (vectors.length === 0) {
    throw new PgscoreError('model_outputs_unsupported', `an embedding is a row of numbers; ${listOutputs(observed)}`, {
      remedy: 'Leave task out: the check finds what the model is.',
    });
  }
  throw new PgscoreError('model_outputs_unclear', `which output holds the vector? ${listOutputs(observed)}`, {
    remedy:
      'Keep one: `del m.graph.output[1:]` before onnx.save(), with the place of the others, or call it embedding.',
  });
}

/**
 * The outputs without those of tokens or steps, which have as many values as a row is long.
 * @throws PgscoreError model_outputs_unsupported where all that are numbers are such
 */
export function withoutSteps(outline: Outline, observed: readonly ObservedOutput[]): readonly ObservedOutput[] {
  const isStepwise = ({ name, type, rank }: ObservedOutput): boolean => {
    const shape = outline.outputs.find((output) => output.name === name)?.shape;
    return isFloat(type) && rank > 1 && shape?.slice(1).includes(null) === true;
  };
  const [first] = observed.filter(isStepwise);
  if (first !== undefined && observed.every(isStepwise)) throw vectorEach(first);
  return observed.filter((output) => !isStepwise(output));
}

function vectorEach({ name }: ObservedOutput): PgscoreError {
  return new PgscoreError(
    'model_outputs_unsupported',
    `output '${name}' has a vector for each token or step of a row, and a row has one prediction`,
    {
      remedy:
        'Pool in the graph before the export, as in `hidden.mean(dim=1)` of PyTorch, or for texts of different length ' +
        '`(hidden * mask).sum(dim=1) / mask.sum(dim=1)`.',
    },
  );
}
