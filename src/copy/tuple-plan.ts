import { Binary, Float32, Float64, Int32, Int64 } from 'apache-arrow';
import type { ColumnBuilder } from './column-builder.ts';
import { NumberColumn } from './number-column.ts';
import type { NumberType } from './number-column.ts';
import { bytesReader } from './bytes-reader.ts';
import { featureReader } from './feature-reader.ts';
import type { RunType } from './feature-reader.ts';
import { FieldStep } from './field-step.ts';
import type { RejectRow } from './field-step.ts';
import { EightByteRun, FourByteRun } from './fixed-run.ts';
import type { NamedColumn } from './fixed-run.ts';
import type { SourceColumn, SqlType } from './source-column.ts';
import type { TupleStep } from './tuple-step.ts';
import type { ValueReader } from './value-reader.ts';

type RunStep = new (columns: readonly NamedColumn[]) => TupleStep;

const RUNS: Readonly<Record<RunType, { step: RunStep; type: NumberType }>> = {
  int4: { step: FourByteRun, type: new Int32() },
  float4: { step: FourByteRun, type: new Float32() },
  int8: { step: EightByteRun, type: new Int64() },
  float8: { step: EightByteRun, type: new Float64() },
};

/** How a tuple is read: the steps in wire order, and the builder behind each source column. */
export type TuplePlan = { readonly steps: readonly TupleStep[]; readonly builders: readonly ColumnBuilder[] };

/** A column of a run still to be made, or a column with a step of its own. */
type Planned =
  | { readonly run: RunStep; readonly name: string; readonly column: NumberColumn<NumberType> }
  | { readonly run: undefined; readonly step: TupleStep; readonly column: ColumnBuilder };

/** Decides once how each column is read; neighbours of one width become one run. */
export function planTuple(columns: readonly SourceColumn[], maxBytes: number, reject: RejectRow): TuplePlan {
  const planned = columns.map((source) => planColumn(source, maxBytes, reject));
  return { steps: joinRuns(planned), builders: planned.map(({ column }) => column) };
}

function planColumn(source: SourceColumn, maxBytes: number, reject: RejectRow): Planned {
  const ownStep = (reader: ValueReader): Planned => {
    const step = new FieldStep(source, reader, maxBytes, reject);
    return { run: undefined, step, column: reader.column };
  };
  if (source.role !== 'feature') return ownStep(bytesReader(new Binary()));
  const { name, type } = source;
  if (!isRunType(type)) return ownStep(featureReader(type, source));
  return { run: RUNS[type].step, name, column: new NumberColumn(RUNS[type].type) };
}

function joinRuns(planned: readonly Planned[]): TupleStep[] {
  const steps: TupleStep[] = [];
  let run: NamedColumn[] = [];
  planned.forEach((column, index) => {
    if (column.run === undefined) return steps.push(column.step);
    run.push(column);
    if (planned[index + 1]?.run !== column.run) {
      steps.push(new column.run(run));
      run = [];
    }
  });
  return steps;
}

function isRunType(type: SqlType): type is RunType {
  return type in RUNS;
}
