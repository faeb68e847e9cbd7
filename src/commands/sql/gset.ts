import { PgscoreError } from '../../errors.ts';
import type { TextResult } from './result.ts';
import type { Variables } from './variables.ts';

/** Keeps the values of the one row of a result in variables named like its columns, after `prefix`; NULL unsets one. */
export function keepRow({ rows, fields }: TextResult, variables: Variables, prefix: string): void {
  const [row, ...more] = rows;
  if (row === undefined || more.length > 0) {
    throw new PgscoreError('usage', `the statement gave ${rows.length} rows; \\gset keeps one`, {
      remedy: 'Add a condition or LIMIT 1.',
    });
  }
  fields.forEach(({ name }, index) => {
    const value = row[index] ?? null;
    if (value === null) variables.delete(prefix + name);
    else variables.set(prefix + name, value);
  });
}
