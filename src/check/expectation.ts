import { PgscoreError } from '../errors.ts';
import { type JsonRow, arrayOf } from '../inference/json-rows.ts';
import { numbersOf, type Predictions } from '../inference/predictions.ts';
import { columnsOf, renameColumns } from '../inference/match-columns.ts';
import type { ModelSession } from '../inference/session.ts';
import { predictRows } from './trial.ts';
import type { Signature } from '../inference/signature.ts';

/** Rows that are scored at a time. */
const CHUNK = 4096;

/** Where our predictions are the furthest from the framework's: row counts from 1. */
type Difference = { readonly difference: number; readonly row: number; readonly column: string };

export type ExpectationReport = {
  /** Rows compared. */
  readonly rows: number;
  /** The largest |difference| / max(1, |reference|). */
  readonly worst: Difference | null;
};

/**
 * Compares the predictions of a model with those that the training framework gave for the same rows: columns
 * expected_label, expected_score, expected_value and expected_probability_<class> beside the features, expected_<target> and
 * the like of a model with several values. A blank cell is not compared. `causes`: what is known to make them differ.
 * @throws PgscoreError model_expectation_wrong, model_expectation_failed, feature_column_missing
 */
export async function compareExpected(
  session: ModelSession,
  rows: readonly JsonRow[],
  causes: readonly string[],
): Promise<ExpectationReport> {
  const columns = columnsOf(rows);
  const expected = expectedColumns(session.signature, columns);
  const remedy = remedyFor(causes);
  const named = renameColumns(session.signature.features, columns);
  let worst: Difference | null = null;
  for (let from = 0; from < rows.length; from += CHUNK) {
    const chunk = rows.slice(from, from + CHUNK);
    const predictions = await predictRows(session, chunk.map(named));
    const differences = chunk.flatMap((row, index) =>
      compareRow(expected, row, predictions, index, from + index + 1, remedy),
    );
    worst = differences.reduce<Difference | null>(larger, worst);
  }
  return { rows: rows.length, worst };
}

function larger(one: Difference | null, other: Difference | null): Difference | null {
  return (other?.difference ?? -1) > (one?.difference ?? -1) ? other : one;
}

function compareRow(
  expected: readonly ExpectedColumn[],
  row: JsonRow,
  predictions: Predictions,
  index: number,
  number: number,
  remedy: string,
): Difference[] {
  const unscored = predictions.errors.get(index);
  if (unscored !== undefined) {
    throw new PgscoreError('model_expectation_failed', `row ${number} can not be scored: ${unscored.message}`, {
      remedy: 'Correct the row, or say what becomes of NULL: nulls and null_values.',
    });
  }
  return expected
    .filter(({ name }) => (row[name] ?? '') !== '')
    .map((column) => {
      const difference = column.difference(row[column.name], predictions, index);
      if (!(difference <= TOLERANCE)) throw differs(column, row, predictions, index, number, remedy);
      return { difference, row: number, column: column.name };
    });
}

function differs(
  { name, actual }: ExpectedColumn,
  row: JsonRow,
  predictions: Predictions,
  index: number,
  number: number,
  remedy: string,
): PgscoreError {
  const [reference, ours] = [String(row[name] as string | number), actual(predictions, index)];
  return new PgscoreError(
    'model_expectation_failed',
    `row ${number}: ${name} is ${reference}, the exported model predicts ${ours}`,
    { remedy },
  );
}

function remedyFor(causes: readonly string[]): string {
  const known = causes.length === 0 ? 'Check' : `Probably this is why: ${causes.join('; ')}. Else check`;
  return (
    `The export does not compute what the framework computes. ${known} the order of the features, the treatment of ` +
    'missing values, and the version of the exporter.'
  );
}

/** |difference| <= TOLERANCE * max(1, |reference|): relative alone fails for right models at small probabilities. */
const TOLERANCE = 1e-5;

/** One column of expected predictions, and how ours are held against it. */
type ExpectedColumn = {
  readonly name: string;
  /** Our prediction of a row. */
  readonly actual: (predictions: Predictions, row: number) => number | string;
  /** |difference| / max(1, |reference|); for labels 0 or Infinity. */
  readonly difference: (expected: unknown, predictions: Predictions, row: number) => number;
};

const PREFIX = 'expected_';
const PROBABILITY = 'expected_probability_';

/** What expected numbers by class may be called; shares of a mixture are those of predict_proba(). */
function prefixesOf({ probabilities, margins }: Signature['outputs']): string[] {
  if (margins === undefined) return probabilities === undefined ? [] : [PROBABILITY];
  const { unit } = margins;
  return [`${PREFIX}${unit}_`, `${PREFIX}margin_`, ...(unit === 'share' ? [PROBABILITY] : [])];
}

/**
 * Picks the columns of expected predictions out of all columns.
 * @throws PgscoreError model_expectation_wrong where there is none, or one that the model does not predict
 */
function expectedColumns(signature: Signature, columns: readonly string[]): ExpectedColumn[] {
  const found = columns.filter((name) => name.startsWith(PREFIX)).map((name) => expectedColumn(signature, name));
  if (found.length > 0) return found;
  throw new PgscoreError('model_expectation_wrong', 'the rows to compare with hold no expected predictions', {
    remedy:
      'Name their columns expected_label, expected_score, expected_value, expected_probability_<class> or expected_embedding.',
  });
}

function expectedColumn(signature: Signature, name: string): ExpectedColumn {
  const column = signature.valueNames === undefined ? classColumn(signature, name) : valueColumn(signature, name);
  if (column !== undefined) return column;
  const { task, kind = task, classLabels, valueNames: named = classLabels } = signature;
  throw new PgscoreError('model_expectation_wrong', `the model predicts nothing to compare '${name}' with`, {
    remedy: `Its task is ${kind}${named.length > 0 ? `, of ${named.join(', ')}` : ''}. Name the column ${comparable(signature)}.`,
  });
}

/** What the columns of expected predictions may be called. */
function comparable({ task, valueNames, outputs: { probabilities, margins } }: Signature): string {
  if (task === 'embedding') return 'expected_embedding';
  if (task === 'multilabel') return 'expected_label_<label> or expected_probability_<label>';
  if (valueNames !== undefined) return `expected_${valueNames[0] ?? '<target>'}`;
  if (task === 'regression') return 'expected_value';
  const unit = margins?.unit === 'anomaly' ? undefined : margins?.unit;
  const numbers = probabilities === undefined ? unit : 'probability';
  return `expected_label${numbers === undefined ? '' : `, expected_${numbers}_<class>`} or expected_score`;
}

function classColumn(signature: Signature, name: string): ExpectedColumn | undefined {
  const { task, classLabels, outputs } = signature;
  if (name === 'expected_label' && task !== 'regression') return labelColumn(signature, name);
  if (name === 'expected_score' || (name === 'expected_value' && task === 'regression')) return scoreColumn(name);
  const prefix = prefixesOf(outputs).find((one) => name.startsWith(one));
  return indexedColumn(
    name,
    prefix === undefined ? -1 : classLabels.indexOf(classOf(name.slice(prefix.length), classLabels)),
  );
}

const LABEL = 'expected_label_';
const VALUE = 'expected_value_';

/** One of several values a row: expected_<target>, expected_<quantile>, expected_probability_<label> or expected_label_<label>. */
function valueColumn(signature: Signature, name: string): ExpectedColumn | undefined {
  const { task, valueNames = [] } = signature;
  if (task === 'embedding') return name === 'expected_embedding' ? vectorColumn(name) : undefined;
  if (task === 'quantiles' && (name === 'expected_score' || name === 'expected_value')) return scoreColumn(name);
  return indexedColumn(name, task === 'multilabel' ? indexOfLabel(signature, name) : indexOfValue(valueNames, name));
}

/** The number at an index among those that a row has beside its score; undefined for an index of -1. */
function indexedColumn(name: string, index: number): ExpectedColumn | undefined {
  if (index < 0) return undefined;
  return numberColumn(name, (predictions, row) => {
    const { numbers, width } = numbersOf(predictions);
    return numbers?.[row * width + index];
  });
}

/** expected_value_<target> too, for a target that is called score or value. */
function indexOfValue(valueNames: readonly string[], name: string): number {
  const index = valueNames.indexOf(name.slice(PREFIX.length));
  return index < 0 && name.startsWith(VALUE) ? valueNames.indexOf(name.slice(VALUE.length)) : index;
}

/** Probabilities come first, and then the labels. */
function indexOfLabel({ valueNames = [], outputs }: Signature, name: string): number {
  if (name.startsWith(PROBABILITY) && outputs.values !== undefined)
    return valueNames.indexOf(name.slice(PROBABILITY.length));
  const label = name.startsWith(LABEL) ? valueNames.indexOf(name.slice(LABEL.length)) : -1;
  return label < 0 ? label : valueNames.length + label;
}

/** The numbers of an embedding; the one that is the furthest from ours counts. */
function vectorColumn(name: string): ExpectedColumn {
  const actual = (predictions: Predictions, row: number): Float64Array => {
    const { numbers, width } = numbersOf(predictions);
    return numbers?.subarray(row * width, (row + 1) * width) ?? new Float64Array(0);
  };
  return {
    name,
    actual: (predictions, row) => `[${actual(predictions, row).join(', ')}]`,
    difference: (expected, predictions, row) => {
      const reference = arrayOf(expected)?.map(Number);
      if (reference?.every(Number.isFinite) !== true) throw notNumber(name, expected);
      const ours = actual(predictions, row);
      if (ours.length !== reference.length) return Infinity;
      return Math.max(
        ...reference.map((value, at) => Math.abs((ours[at] ?? Number.NaN) - value) / Math.max(1, Math.abs(value))),
      );
    },
  };
}

function scoreColumn(name: string): ExpectedColumn {
  return numberColumn(name, ({ score }, row) => score[row]);
}

const BOOLEANS: Readonly<Record<string, string>> = { false: '0', true: '1' };

/** A class as the model names it: exports of boolean classes name them 0 and 1. */
function classOf(label: string, classLabels: readonly string[]): string {
  return classLabels.includes(label) ? label : (BOOLEANS[label.toLowerCase()] ?? label);
}

function numberColumn(name: string, read: (from: Predictions, row: number) => number | undefined): ExpectedColumn {
  const actual = (predictions: Predictions, row: number) => read(predictions, row) ?? Number.NaN;
  return {
    name,
    actual,
    difference: (expected, predictions, row) => {
      const reference = Number(BOOLEANS[String(expected as string).toLowerCase()] ?? expected);
      if (!Number.isFinite(reference)) throw notNumber(name, expected);
      return Math.abs(actual(predictions, row) - reference) / Math.max(1, Math.abs(reference));
    },
  };
}

function labelColumn(
  { task, classLabels, outputs, threshold = outputs.margins ? 0 : 0.5 }: Signature,
  name: string,
): ExpectedColumn {
  const actual = ({ label }: Predictions, row: number) => classLabels[label?.[row] ?? -1] ?? '';
  // At a tie nothing was rounded to the other side: there the labels are the same.
  const onTheEdge = ({ score, probabilities, margins }: Predictions, row: number, expected: string): boolean => {
    const probability = score[row] ?? Number.NaN;
    const other = (probabilities ?? margins)?.[row * classLabels.length + classLabels.indexOf(expected)] ?? -Infinity;
    const distance = Math.abs(probability - (task === 'binary' ? threshold : other));
    return distance > 0 && distance <= TOLERANCE;
  };
  return {
    name,
    actual,
    difference: (expected, predictions, row) => {
      const label = classOf(String(expected as string | number | boolean), classLabels);
      return actual(predictions, row) === label || onTheEdge(predictions, row, label) ? 0 : Infinity;
    },
  };
}

function notNumber(name: string, expected: unknown): PgscoreError {
  return new PgscoreError('model_expectation_wrong', `${JSON.stringify(expected)} in '${name}' is no number`, {
    remedy: "Write the framework's predictions as plain numbers.",
  });
}
