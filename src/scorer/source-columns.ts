import { isSqlType, type SourceColumn } from '../copy/source-column.ts';
import { PgscoreError } from '../errors.ts';
import type { PlannedColumn, Run } from '../runs/run.ts';

/** The columns of the COPY stream as the decoder wants them: a feature goes by the name that the model gives it. */
export function sourceColumns(run: Run): SourceColumn[] {
  return run.columns.map(sourceColumn);
}

function sourceColumn(column: PlannedColumn): SourceColumn {
  const { role, type, width } = column;
  if (role !== 'feature') return { name: column.segment ?? column.name, role };
  if (!isSqlType(type))
    throw new PgscoreError('internal', `column "${column.name}" has the unknown wire type "${type}"`);
  return { name: column.feature ?? column.name, role, type, width };
}
