import stringWidth from 'string-width';

/** Where a command says things. The result goes to standard output, everything else to standard error. */
export type Output = {
  /** Whether a program reads the result. */
  readonly json: boolean;
  /** Whether a person watches, so that a line may be drawn over. */
  readonly terminal: boolean;
  /** The one result of a command: as one JSON document, or as text for people. */
  result(value: unknown, text: () => string): void;
  /** Something to know on the way to the result; people see it, programs do not. */
  note(line: string): void;
  /** Writes to the terminal where it stands, without a line break. */
  draw(text: string): void;
};

type Streams = { readonly stdout: NodeJS.WriteStream; readonly stderr: NodeJS.WriteStream };

/** Output to the streams of a process. */
export function outputTo({ stdout, stderr }: Streams, json: boolean): Output {
  return {
    json,
    terminal: !json && stderr.isTTY === true,
    result: (value, text) => void stdout.write(`${json ? JSON.stringify(value, replacer) : text()}\n`),
    draw: (text) => void stderr.write(text),
    note: (line) => void (json || stderr.write(`${line}\n`)),
  };
}

function replacer(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** A column of a table for people: numbers stand at the right. */
type TableColumn = { readonly name: string; readonly right: boolean };

/** null is an empty cell. */
export type Cell = string | null;

/** A table with a header, aligned; a cell with several lines takes several. Ends without a line break. */
export function formatTable(columns: readonly TableColumn[], rows: readonly (readonly Cell[])[]): string {
  const heads = columns.map(({ name }) => visible(name).split('\n'));
  const lines = rows.map((row) => columns.map((_, index) => visible(row[index] ?? '').split('\n')));
  // Of 300,000 rows the widths are more arguments than a call of Math.max() takes.
  const widths = columns.map((_, index) =>
    [heads, ...lines].reduce((width, row) => Math.max(width, ...(row[index] ?? []).map(widthOf)), 0),
  );
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+');
  const left = columns.map((column) => ({ ...column, right: false }));
  return [layOut(heads, left, widths), rule, ...lines.map((row) => layOut(row, columns, widths))].join('\n');
}

/** Columns that a text takes of a terminal. Most text is ASCII, where each character takes one. */
function widthOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : stringWidth(text);
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
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
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

/** A row of plain values under its column names. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows as a table; a column of numbers stands at the right. `nothing` is said where there is no row. */
export function tableOf(rows: readonly Row[], nothing: string): string {
  return rows.length === 0 ? nothing : layOutRecords(rows, title);
}

/** The result of a statement, under the names that its columns have in SQL. */
export function resultTable(rows: readonly Row[]): string {
  return layOutRecords(rows, (name) => name);
}

function layOutRecords(rows: readonly Row[], titled: (name: string) => string): string {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name) => ({ name: titled(name), right: rows.some((row) => isNumber(row[name])) }));
  return formatTable(
    columns,
    rows.map((row) => names.map((name) => cellOf(row[name]))),
  );
}

/** One row as lines of name and value; what is null is left out. */
export function listOf(row: Row): string {
  const entries = Object.entries(row).flatMap(([name, value]) => {
    const cell = cellOf(value);
    return cell === null || cell === '' ? [] : [[title(name), cell] as const];
  });
  return pairs(entries);
}

/** Names and values in two columns. */
function pairs(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...entries.map(([name]) => stringWidth(name)));
  const hanging = `\n${' '.repeat(width + 2)}`;
  return entries
    .map(
      ([name, value]) => `${name}${' '.repeat(width - stringWidth(name))}  ${visible(value).replaceAll('\n', hanging)}`,
    )
    .join('\n');
}

/** A value as people read it: instants in UTC to the second, lists with commas, fractions to seven digits. */
export function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return instant(value);
  if (Array.isArray(value)) return value.map((item) => cellOf(item) ?? '').join(', ');
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(7)));
  return typeof value === 'string' ? value : String(value as number | bigint | boolean);
}

function instant(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function title(name: string): string {
  return name.replaceAll('_', ' ');
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** Says that something goes on, until the function that it returns is called: in motion on a terminal, as one line elsewhere. */
export function spin(output: Output, text: string): () => void {
  if (!output.terminal) {
    output.note(`${text} …`);
    return () => undefined;
  }
  const began = performance.now();
  let frame = 0;
  const draw = (): void => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    output.draw(`${CLEAR_LINE}${FRAMES[frame++ % FRAMES.length]} ${text} (${seconds} s)`);
  };
  const timer = setInterval(draw, FRAME_MS);
  draw();
  return () => {
    clearInterval(timer);
    output.draw(CLEAR_LINE);
  };
}
