import stringWidth from 'string-width';

/** A column of a table for people: numbers stand at the right. */
export type TableColumn = { readonly name: string; readonly right: boolean };

/** null is an empty cell. */
export type Cell = string | null;

/** A table with a header, aligned; a cell with several lines takes several. Ends without a line break. */
export function formatTable(columns: readonly TableColumn[], rows: readonly (readonly Cell[])[]): string {
  const heads = columns.map(({ name }) => visible(name).split('\n'));
  const lines = rows.map((row) => columns.map((_, index) => visible(row[index] ?? '').split('\n')));
  const widths = columns.map((_, index) =>
    Math.max(...[heads, ...lines].flatMap((row) => (row[index] ?? []).map((text) => stringWidth(text)))),
  );
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+');
  const left = columns.map((column) => ({ ...column, right: false }));
  return [layOut(heads, left, widths), rule, ...lines.map((row) => layOut(row, columns, widths))].join('\n');
}

function layOut(row: readonly string[][], columns: readonly TableColumn[], widths: readonly number[]): string {
  const height = Math.max(...row.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) =>
    row
      .map((cell, index) => ` ${pad(cell[line] ?? '', widths[index] ?? 0, columns[index]?.right ?? false)} `)
      .join('|')
      .trimEnd(),
  ).join('\n');
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - stringWidth(text)));
  return right ? space + text : text + space;
}

/** Text from a database may hold what a terminal would obey. */
export function visible(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll('\t', '    ')
    .replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (control) => (control === '\n' ? control : escaped(control)));
}

function escaped(control: string): string {
  const code = control.codePointAt(0) ?? 0;
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
}
