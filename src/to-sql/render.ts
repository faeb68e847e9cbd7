import type { NativeProgram } from './answers.ts';
import { OVERFLOWS } from '../lib/float32.ts';
import { NativeRefusal, type Kind, type Term } from './term.ts';
import { walkLines, walkTo, WALK_VARIABLES, type Walk } from './trees/walk.ts';

export type NativeBody = {
  readonly language: 'sql' | 'plpgsql';
  readonly body: string;
  /** A shorter one that says the same of most rows, and NULL of those that need a look at each feature. */
  readonly quick?: string;
  /** One in PL/pgSQL that says the same to the last bit, and is ready at once: for the first rows of a statement. */
  readonly few?: string;
};

/** An inlined expression is read and planned with each statement that calls it: 7,800 characters take 0.7 ms. */
const MAX_INLINED = 16_000;
/** Where naming what is shared shortens an expression more than so many times, naming it is faster. */
const MAX_REPETITION = 3;
/** PostgreSQL reads an expression recursively, within max_stack_depth. */
const MAX_DEPTH = 500;
/** Past this, an expression leaves the cache of a processor, and a row costs four times as much. */
const MAX_BODY = 1_000_000;

/**
 * The body of a function that answers one question about a row. `argument` gives the SQL for a feature: double precision
 * for float32 and float64, bigint for int32 and int64, boolean for bool, text for string, double precision[] for arrays.
 * An sql body is one expression that PostgreSQL puts in the place of a call. Names that begin with an underscore are the body's own.
 * @throws NativeRefusal for a body that is too large, or nests too deep
 */
export function renderNative(
  { answers }: NativeProgram,
  wanted: 'score' | 'label' | 'probabilities',
  argument: (featureIndex: number) => string,
): NativeBody {
  const term = answers[wanted];
  const size = sizes(term);
  const inlined = size.repeated <= MAX_INLINED && size.repeated <= MAX_REPETITION * size.shared;
  const expression = (written: Term) => `select ${new Writer(argument, new Map()).text(written)}`;
  const walked = inlined || wanted !== 'score' ? undefined : walkedIn(term);
  const body = inlined ? expression(term) : plpgsql(term, argument, walked?.walk.columns);
  if (body.length > MAX_BODY) {
    throw new NativeRefusal(
      `a function of ${(body.length / 1e6).toFixed(1)} MB is longer than the ${(MAX_BODY / 1e6).toFixed(1)} MB that it may have`,
    );
  }
  const { quick } = term.traits;
  if (inlined) return { language: 'sql', body, ...(quick !== undefined && { quick: expression(quick) }) };
  const few = walked && plpgsql(term, argument, walked.walk.columns, walked);
  return { language: 'plpgsql', body, ...(few !== undefined && { few }) };
}

type Size = { readonly length: number; readonly depth: number };

/**
 * The characters of an expression with what is shared written once, and with it written wherever it is used.
 * @throws NativeRefusal for one that nests too deep
 */
function sizes(root: Term): { shared: number; repeated: number } {
  const known = new Map<Term, Size>();
  let shared = 0;
  const sizeOf = (term: Term, above: number): Size => {
    const before = known.get(term);
    if (before !== undefined) return before;
    if (above > MAX_DEPTH) throw tooDeep();
    const own = term.pieces.reduce((total, piece) => total + piece.length, 0);
    const below = term.operands.map((operand) => sizeOf(operand, above + 1));
    shared += own;
    const length = below.reduce((total, size) => total + 2 + size.length, own);
    const size = { length, depth: 1 + Math.max(0, ...below.map(({ depth }) => depth)) };
    known.set(term, size);
    return size;
  };
  const { length, depth } = sizeOf(root, 0);
  if (depth > MAX_DEPTH) throw tooDeep();
  return { repeated: length, shared };
}

function tooDeep(): NativeRefusal {
  return new NativeRefusal(`its computation nests more than ${MAX_DEPTH} deep`);
}

const TYPES: Record<Kind, string> = {
  float32: 'double precision',
  float64: 'double precision',
  int64: 'bigint',
  bool: 'boolean',
  string: 'pg_catalog.text collate "C"',
  floats: 'double precision[]',
};

type Walked = { readonly total: Term; readonly walk: Walk };

/** The sum of trees that can be walked through; undefined where the answer has none, or several. */
function walkedIn(root: Term): Walked | undefined {
  const found = [...distinctTerms([root]).keys()].flatMap((total) => {
    const walk = walkTo(total);
    return walk === undefined ? [] : [{ total, walk }];
  });
  return found.length === 1 ? found[0] : undefined;
}

/** Columns that are to be known `ahead` are so in both forms of a function: what a column raises, both raise. */
function plpgsql(
  root: Term,
  argument: (featureIndex: number) => string,
  ahead: readonly Term[] = [],
  walked?: Walked,
): string {
  const terms = distinctTerms([root, ...ahead]);
  const names = new Map<Term, string>();
  const writer = new Writer(argument, names);
  const guarded = guardedColumns(terms.keys());
  const checks = [...guarded.values()].map((check) => `    _checked := ${writer.text(check)};\n`);
  for (const term of terms.keys()) {
    if (term.traits.guards !== undefined) names.set(term, writer.text(term.traits.guards));
  }
  const declared: string[] = [];
  const assigned = (shared: readonly Term[]): string[] =>
    shared.map((term) => {
      const name = `_s${declared.length}`;
      const line = `  ${name} := ${writer.text(term)};\n`;
      declared.push(`  ${name} ${TYPES[term.kind]};\n`);
      names.set(term, name);
      return line;
    });
  const lines = assigned(sharedTerms(ahead, names, new Set(ahead)));
  if (walked !== undefined) {
    lines.push(walkLines(walked.walk, (column) => names.get(column) ?? writer.text(column)));
    names.set(walked.total, '_sum');
  }
  lines.push(...assigned(sharedTerms([root], names)));
  const columns = [...guarded.keys()].map((column) => writer.text(column));
  const guard =
    columns.length === 0 ? '' : `  if ${allInRange(columns)} is not true then\n${checks.join('')}  end if;\n`;
  const variables = `  _checked double precision;\n${walked === undefined ? '' : WALK_VARIABLES}${declared.join('')}`;
  const result = names.get(root) ?? writer.text(root);
  return `\ndeclare\n${variables}begin\n${guard}${lines.join('')}  return ${result};\nend`;
}

/** One sum tells of most rows that nothing is missing and nothing infinite: then the columns are what they seem. */
function allInRange(columns: readonly string[]): string {
  return `pg_catalog.abs(${plus(columns)}) < '${OVERFLOWS}'`;
}

function plus(columns: readonly string[]): string {
  const [only = ''] = columns;
  if (columns.length <= 1) return only;
  const middle = Math.ceil(columns.length / 2);
  return `(${plus(columns.slice(0, middle))} + ${plus(columns.slice(middle))})`;
}

/** The columns that some terms are, once checked, each with a term that checks it. */
function guardedColumns(terms: Iterable<Term>): Map<Term, Term> {
  const columns = new Map<Term, Term>();
  for (const term of terms) {
    if (term.traits.guards !== undefined) columns.set(term.traits.guards, term);
  }
  return columns;
}

/** How often each term is used, operands before what is made of them; below a term that has a name, nothing is used. */
function distinctTerms(roots: readonly Term[], names: ReadonlyMap<Term, string> = new Map()): Map<Term, number> {
  const uses = new Map<Term, number>();
  const ordered = new Map<Term, number>();
  const visit = (term: Term): void => {
    const before = uses.get(term) ?? 0;
    uses.set(term, before + 1);
    if (before > 0) return;
    if (!names.has(term)) term.operands.forEach(visit);
    ordered.set(term, 0);
  };
  roots.forEach(visit);
  return new Map([...ordered.keys()].map((term) => [term, uses.get(term) ?? 0]));
}

/** Terms that compute something and are used more than once, or wanted. */
function sharedTerms(
  roots: readonly Term[],
  names: ReadonlyMap<Term, string>,
  wanted: ReadonlySet<Term> = new Set(),
): Term[] {
  const uses = [...distinctTerms(roots, names)];
  return uses.flatMap(([term, count]) =>
    (count > 1 || wanted.has(term)) && term.operands.length > 0 && term.traits.raises !== true && !names.has(term)
      ? [term]
      : [],
  );
}

class Writer {
  readonly #argument: (featureIndex: number) => string;
  readonly #names: ReadonlyMap<Term, string>;

  constructor(argument: (featureIndex: number) => string, names: ReadonlyMap<Term, string>) {
    this.#argument = argument;
    this.#names = names;
  }

  text(term: Term): string {
    if (term.feature !== undefined) return this.#argument(term.feature);
    const parts = [term.pieces[0] ?? ''];
    term.operands.forEach((operand, index) => parts.push(this.#operand(operand), term.pieces[index + 1] ?? ''));
    return parts.join('');
  }

  #operand(term: Term): string {
    const name = this.#names.get(term);
    if (name !== undefined) return name;
    const text = this.text(term);
    return /^\$?\w+$/.test(text) || term.constant !== undefined ? text : `(${text})`;
  }
}
