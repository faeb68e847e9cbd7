import { PgscoreError } from '../errors.ts';
import type { RunOutput } from './graph.ts';
import type { Outline } from '../onnx/outline.ts';
import type { TensorType } from './signature.ts';

/** An output as a run returned it; what files declare is often wrong: [N, 1] for two columns, [1] for any number. */
export type ObservedOutput = {
  readonly name: string;
  readonly type: TensorType;
  /** Values a row. */
  readonly width: number;
};

/** ONNX Runtime's names of the element types that pgscore reads. */
const READ: readonly string[] = ['float32', 'float64', 'int32', 'int64', 'bool', 'string'] satisfies TensorType[];

/**
 * The outputs of a run over `rows` rows that can be read and have a value for each row.
 * @throws PgscoreError model_output_rows where none has
 */
export function observedOutputs(outputs: readonly RunOutput[], rows: number): ObservedOutput[] {
  const perRow = outputs.filter(({ dims }) => dims[0] === rows);
  if (perRow.length === 0) outputs.forEach((output) => checkRows(output, rows));
  return perRow
    .filter(({ type }) => READ.includes(type))
    .map(({ name, type, dims }) => ({
      name,
      type: type as TensorType,
      width: dims.slice(1).reduce((product, size) => product * size, 1),
    }));
}

/** @throws PgscoreError model_output_rows */
export function checkRows({ name, dims, type }: RunOutput, rows: number): void {
  if (dims[0] === rows) return;
  throw new PgscoreError(
    'model_output_rows',
    `the model returned ${dims[0] ?? 'no'} rows in '${name}' for ${rows} rows`,
    {
      remedy: type.startsWith('float')
        ? 'Export the model so that the first dimension of inputs and outputs is the row.'
        : 'Leave the labels out, which follow from the probabilities: `del m.graph.output[0]` before onnx.save(), with class_labels.',
    },
  );
}

/**
 * Refuses a graph that returns maps or sequences: its probabilities would be lost in silence.
 * @throws PgscoreError model_outputs_unsupported
 */
export function checkTensorsOnly({ outputs }: Outline): void {
  const other = outputs.find(({ type, declared }) => type === undefined && !declared.startsWith('tensor'));
  if (other === undefined) return;
  throw new PgscoreError('model_outputs_unsupported', `output '${other.name}' of the model is no tensor`, {
    remedy: "Export the model with tensors as outputs: `options={'zipmap': False}` in skl2onnx.",
  });
}
