import { NativeRefusal } from './refusal.ts';
import type { Term } from './term.ts';

/**
 * The term, where `exactly` makes the very number of it that ONNX Runtime comes to. Of any other, what tests it against a
 * limit could come out on the other side: a number that is a millionth off, and a whole leaf with it.
 * @throws NativeRefusal where ONNX Runtime rounds in a way of its own
 */
export function reproducible({ op }: { readonly op: string }, term: Term): Term {
  const what = approximationIn(term);
  if (what === undefined) return term;
  throw new NativeRefusal(`operator ${op} behind ${what} is not compiled: rounding could decide it`);
}

/**
 * A label, or a place in a row, may be another where two sums are as good as equal; a number may not hang on that.
 * @throws NativeRefusal where one does
 */
export function checkChoices<Terms extends readonly Term[]>(numbers: Terms): Terms {
  const seen = new Set<Term>();
  const visit = (term: Term): void => {
    if (seen.has(term)) return;
    seen.add(term);
    const what = term.traits.chosen === true ? approximationIn(term) : undefined;
    if (what !== undefined)
      throw new NativeRefusal(`its numbers depend on a choice behind ${what}: rounding could decide it`);
    term.operands.forEach(visit);
  };
  numbers.forEach(visit);
  return numbers;
}

const known = new WeakMap<Term, string | null>();

/** What in a term is no more than near to what ONNX Runtime has there. */
function approximationIn(term: Term): string | undefined {
  const before = known.get(term);
  if (before !== undefined) return before ?? undefined;
  const found = term.traits.column === undefined ? (term.traits.approximate ?? below(term)) : undefined;
  known.set(term, found ?? null);
  return found;
}

function below({ operands }: Term): string | undefined {
  for (const operand of operands) {
    const found = approximationIn(operand);
    if (found !== undefined) return found;
  }
  return undefined;
}
