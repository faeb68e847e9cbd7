import { takenRows } from '../inference/arrays.ts';
import { paddedRowsOf, type Feed } from '../inference/feed.ts';
import { buildFeeds, TextCache } from '../inference/feeds.ts';
import type { RunOutput } from '../inference/graph.ts';
import type { GraphSession } from '../inference/graph-session.ts';
import { batchOfRows, type JsonRow } from '../inference/json-rows.ts';
import { runFailure } from '../inference/ort-errors.ts';
import { observedOutputs, type ObservedOutput } from '../inference/outputs.ts';
import { stepOf, type Signature } from '../inference/signature.ts';
import { mulberry32 } from '../lib/random.ts';
import type { MappedFeature } from './features.ts';

/** What the outputs were for the sample rows that the model took: by output, row and column. */
export type SampleValues = ReadonlyMap<string, readonly (readonly unknown[])[]>;

type SampleRuns = { readonly observed: ObservedOutput[]; readonly values: SampleValues };

/**
 * Runs the graph on each sample row by itself. Returns the outputs of the first that it takes, with real types and shapes, and
 * the values of all. Outputs without a value for each of two rows are left out, as long as one stays.
 * @throws PgscoreError model_run_failed where it takes none, model_output_rows
 */
export async function runSamples(
  graph: GraphSession,
  { inputs, features, batch }: Pick<Signature, 'inputs' | 'features' | 'batch'>,
  samples: readonly JsonRow[],
  warnings: string[],
): Promise<SampleRuns> {
  const json = batchOfRows(features, samples);
  const { rows, feeds } = buildFeeds(json.batch, { inputs, features }, new TextCache(), json.unread);
  const size = batch ?? 1;
  const values = new Map<string, unknown[][]>();
  let observed: ObservedOutput[] | undefined;
  let failure: unknown;
  for (let row = 0; row < rows; row += 1) {
    const outputs = await runRow(graph, feeds, row, size).catch((error: unknown) => {
      failure = error;
    });
    if (outputs === undefined) continue;
    observed ??= withRowEach(
      observedOutputs(outputs, size),
      batch === null ? await runRow(graph, feeds, row, 2).catch(() => []) : [],
      warnings,
    );
    for (const { name, data } of outputs) {
      const of = values.get(name) ?? [];
      of.push(Array.from({ length: data.length / size }, (_, column) => data[column]));
      values.set(name, of);
    }
  }
  if (observed === undefined) throw runFailure(failure);
  return { observed, values };
}

/** Runs the graph on so many copies of a row. Throws what ONNX Runtime throws. */
function runRow(graph: GraphSession, feeds: readonly Feed[], row: number, copies: number): Promise<RunOutput[]> {
  const taken = feeds.map((feed) => {
    const one = takenRows(feed, [row]);
    return { input: one.input, data: paddedRowsOf(one, 0, 1, copies) };
  });
  return graph.run(taken, copies, graph.outputs);
}

/** Those outputs that a run on two rows gave two of; all where there was none. */
function withRowEach(observed: ObservedOutput[], outputs: readonly RunOutput[], warnings: string[]): ObservedOutput[] {
  const kept = observed.filter(({ name, layers }) =>
    outputs.some((output) => output.name === name && output.dims[layers === undefined ? 0 : 1] === 2),
  );
  if (kept.length === 0) return observed;
  const left = observed.filter((output) => !kept.includes(output) && !output.type.startsWith('float'));
  for (const { name } of left) warnings.push(`output '${name}' has no value for each row, and is not read`);
  return kept;
}

type Draw = (random: () => number) => number;

/** One way to fill a row, for each sample: what one model refuses or turns to NaN, another one needs. */
const DRAWS: readonly Draw[] = [
  () => 0,
  () => 1,
  (random) => Math.floor(random() * 4),
  (random) => random() * 2 - 1,
  (random) => random(),
  (random) => random() * 100,
  (random) => -Math.floor(random() * 10),
];

/**
 * Rows to try a model on, the same ones at every call. `categories` are the values that the graph knows for each feature:
 * others are taken only where there are none.
 */
export function sampleRows(features: readonly MappedFeature[], categories: readonly string[][]): JsonRow[] {
  const random = mulberry32(1);
  return DRAWS.map((draw, row) =>
    Object.fromEntries(
      features.map((feature, index) => {
        const known = categories[index] ?? [];
        const cell = () => (known.length > 0 ? known[row % known.length] : cellOf(feature, draw(random), row));
        return [feature.name, feature.width === 1 ? cell() : Array.from({ length: lengthOf(feature, row) }, cell)];
      }),
    ),
  );
}

const STEPS = 4;

/** Arrays of any length differ in it from row to row, and agree in it within a row. */
function lengthOf({ width, shape = [width || null] }: MappedFeature, row: number): number {
  return width === 0 ? (STEPS + (row % 3)) * stepOf(shape) : width;
}

function cellOf({ type, element }: MappedFeature, number: number, row: number): unknown {
  if (type === 'string') return 'abc'.charAt(row % 3);
  if (type === 'bool') return row % 2 === 1;
  if (type !== 'int32' && type !== 'int64') return number;
  const whole = Math.round(number);
  return element?.startsWith('u') === true ? Math.abs(whole) : whole;
}
