/**
 * A text of the model as a SQL literal, whatever standard_conforming_strings says.
 * @throws NativeRefusal for a text that PostgreSQL can't hold
 */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new NativeRefusal('a category or a name of the model holds a zero byte');
  if (/\p{Surrogate}/u.test(text))
    throw new NativeRefusal('a category or a name of the model holds half of a surrogate pair');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** A double, written so that it reads back as itself; its type comes from where it stands. */
export function untypedNumber(value: number): string {
  if (Number.isNaN(value)) return "'NaN'";
  if (!Number.isFinite(value)) return value > 0 ? "'Infinity'" : "'-Infinity'";
  return Object.is(value, -0) ? "'-0'" : `'${value}'`;
}

export function typedNumber(value: number): string {
  return `${untypedNumber(value)}::double precision`;
}

/** Why a version has no compiled function: it is scored online and in batches only. The message is for its deployer. */
export class NativeRefusal extends Error {
  override readonly name = 'NativeRefusal';
}

/** What a term holds. Both floats are double precision in SQL, an int32 is a bigint, and floats are an array. */
export type Kind = 'float32' | 'float64' | 'int64' | 'bool' | 'string' | 'floats';

export type Constant = number | bigint | boolean | string;

/**
 * One value of a row: SQL with other terms in its gaps. Terms share their operands, and the renderer computes what is
 * shared ahead: so no term may raise, even where the CASE around it would not come to it.
 */
export type Term = {
  readonly kind: Kind;
  /** One more than there are operands. */
  readonly pieces: readonly string[];
  readonly operands: readonly Term[];
  readonly constant?: Constant;
  /** The column of the feature that the pieces leave out. */
  readonly feature?: number;
  readonly traits: Traits;
};

export type Traits = {
  /** Can't be infinite, or neither infinite nor NaN. */
  readonly range?: 'bounded' | 'finite';
  /** From 0 to 1, however it is rounded. */
  readonly isShare?: boolean;
  /** The value is one of the operands', or a constant that float32 holds: rounding the operands rounds it. */
  readonly picks?: boolean;
  /** NULL or NaN in any operand is NULL or NaN here. */
  readonly propagates?: boolean;
  /** The double that this is the nearest float32 of. */
  readonly rounds?: Term;
  /** The float32 of this, where the term itself is rounded too loosely to be compared. */
  readonly sharper?: Term;
  /** Never NaN. */
  readonly ordered?: boolean;
  /** Raises: it is written where it is used, behind its condition, and never computed ahead. */
  readonly raises?: boolean;
  /** A column that this is, unless it raises for what the column holds. */
  readonly guards?: Term;
  /** A condition that holds where this one does not. */
  readonly opposite?: () => Term;
  /** That a value is at most a number, as PostgreSQL orders them; or, where `holds` is false, that it is not. */
  readonly atMost?: { readonly value: Term; readonly limit: number; readonly holds: boolean };
  /** A sum as if nothing were missing, and the one that looks: the second counts where the first is NULL or NaN. */
  readonly attempt?: { readonly fast: Term; readonly checked: Term };
  /** This term, but NULL for a row of which each feature has to be looked at; never NaN. */
  readonly quick?: Term;
  /** This term with something else in the place of a missing value. */
  readonly filled?: (otherwise: number) => Term;
  /** This term with the missing values of its feature left in. */
  readonly unchecked?: Term;
  /** 1 where the source is this category, else 0. */
  readonly indicates?: { readonly source: Term; readonly category: Constant };
  /** The element of the feature that this is, but for its missing values. */
  readonly column?: { readonly feature: number; readonly element: number };
  /** Another term that this one rises with throughout, or falls with, and what makes its numbers of the other's. */
  readonly follows?: { readonly term: Term; readonly as: (value: number) => number };
  /** What it is the square of. */
  readonly squares?: Term;
  /** What it is e to the power of. */
  readonly exponent?: Term;
  /** Never below this; where that is 0, it is 0 only past the range of float32. */
  readonly atLeast?: number;
  /** It is one of so many places, counted from 0. */
  readonly places?: number;
  /** Finite or not together with every other term of this origin. */
  readonly origin?: Term;
  /** What it is, where ONNX Runtime rounds it by the order, the instructions or the approximation that it chose. */
  readonly approximate?: string;
  /** One of several, by which of some numbers is the largest, or by the sign of one. */
  readonly chosen?: boolean;
};

/** The number of rows in a shape of the graph, which no function knows: it may only shape other tensors. */
export const ROWS = unwritten('a number that depends on how many rows there are is not compiled');

/** An integer of which traits alone may be used. */
export function unwritten(reason: string, traits: Traits = {}): Term {
  return {
    kind: 'int64',
    get pieces(): readonly string[] {
      throw new NativeRefusal(reason);
    },
    operands: [],
    traits,
  };
}

/** A tag for templates: float32`${a} + ${b}`. Every term is put in parentheses where it is used. */
type Build = (pieces: TemplateStringsArray, ...operands: readonly Term[]) => Term;

export function build(kind: Kind, traits: Traits = {}): Build {
  return (pieces, ...operands) => ({ kind, pieces, operands, traits });
}

export const bool = build('bool');

export function constant(kind: Kind, value: Constant): Term {
  const traits: Traits = typeof value === 'number' && Number.isFinite(value) ? { range: 'finite' } : {};
  return { kind, pieces: [literal(kind, value)], operands: [], constant: value, traits };
}

export function following(term: Term, other: Term, as: (value: number) => number): Term {
  return { ...term, traits: { ...term.traits, follows: { term: other, as } } };
}

export function approximate(term: Term, what: string): Term {
  return term.constant === undefined ? { ...term, traits: { ...term.traits, approximate: what } } : term;
}

export function argument(kind: Kind, feature: number, traits: Traits = {}): Term {
  return { kind, pieces: ['', ''], operands: [], feature, traits };
}

export function isFloat(kind: Kind): kind is 'float32' | 'float64' {
  return kind === 'float32' || kind === 'float64';
}

/** The same SQL over other operands. */
export function over(term: Term, operands: readonly Term[]): Term {
  return { ...term, operands };
}

function literal(kind: Kind, value: Constant): string {
  if (kind === 'string') return quoteText(String(value));
  if (kind === 'bool') return value === true ? 'true' : 'false';
  return kind === 'int64' ? `'${value}'::bigint` : typedNumber(Number(value));
}
