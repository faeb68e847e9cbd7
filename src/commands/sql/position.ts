const MOST_CHARACTERS = 100;

/** An error of PostgreSQL with the line of the statement that it points at, and a mark under the place. */
export function located(error: unknown, statement: string): unknown {
  if (typeof error !== 'object' || error === null || !('position' in error)) return error;
  const position = Number(error.position);
  if (!Number.isInteger(position) || position < 1) return error;
  const { detail } = error as { detail?: string };
  return Object.assign(error, { detail: [pointAt(statement, position), ...(detail ? [detail] : [])].join('\n') });
}

/** `position` counts characters from 1. */
export function pointAt(statement: string, position: number): string {
  const before = Array.from(statement)
    .slice(0, position - 1)
    .join('');
  const line = before.split('\n').length;
  const start = before.lastIndexOf('\n') + 1;
  const column = before.length - start;
  const skipped = Math.max(0, column - MOST_CHARACTERS / 2);
  const whole = statement.slice(start).split('\n')[0] ?? '';
  const shown = whole.slice(skipped, skipped + MOST_CHARACTERS).replaceAll('\t', ' ');
  const label = `LINE ${line}: ${skipped > 0 ? '…' : ''}`;
  return `${label}${shown}\n${' '.repeat(label.length + column - skipped)}^`;
}
