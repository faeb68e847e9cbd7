import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { CsvError, parse } from 'csv-parse/sync';
import { unreadable } from '../client/model-file.ts';
import { PgscoreError } from '../errors.ts';

/** A row as CSV has it: every value as text, an empty cell as NULL. The check reads numbers out of the text of numeric features. */
export type CsvRow = Readonly<Record<string, string | null>>;

/** The rows of a CSV file with a header, which may be gzipped (`.gz`): features and `expected_…` columns. */
export async function readExpectedRows(file: string): Promise<CsvRow[]> {
  const bytes = await readFile(file).catch((cause: unknown) => unreadable(file, cause));
  return parseRows(file.endsWith('.gz') ? gunzipped(file, bytes) : bytes, file);
}

/** @throws PgscoreError `model_expectation_wrong` where the text is no CSV with a header and rows */
export function parseRows(text: string | Buffer, file: string): CsvRow[] {
  try {
    const rows: CsvRow[] = parse(text, { bom: true, columns: distinctNames, skip_empty_lines: true, cast });
    if (rows.length > 0) return rows;
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw wrong(`${file} is not CSV: ${cause.message}`, cause);
  }
  throw wrong(`${file} has no rows`);
}

/** As PostgreSQL reads CSV: nothing between two commas is NULL, "" is an empty text. */
function cast(value: string, { header, quoting }: { header: boolean; quoting: boolean }): string | null {
  return value === '' && !quoting && !header ? null : value;
}

function distinctNames(names: string[]): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return names;
  throw wrong(`the header names "${twice}" twice`);
}

function gunzipped(file: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw wrong(`${file} is not a gzip file`, cause);
  }
}

function wrong(message: string, cause?: unknown): PgscoreError {
  return new PgscoreError('model_expectation_wrong', message, {
    remedy:
      'Write a header with the features and expected_score (or expected_label), then a row a line: DataFrame.to_csv(index=False).',
    cause,
  });
}
