import { compareTo, isNaNTerm, passesOrNaN } from '../comparison.ts';
import type { Comparison } from '../comparison.ts';
import { untypedNumber, typedNumber } from '../literal.ts';
import { unsupported } from '../operator.ts';
import type { OperatorCall } from '../operator.ts';
import { reproducible } from '../reproducible.ts';
import { exactly } from '../rounding.ts';
import { bool, constant } from '../term.ts';
import type { Term } from '../term.ts';
import type { PassingShares } from './passing-shares.ts';
import { isLeaf } from './tree.ts';
import type { Branch, Tree } from './tree.ts';

const RELATIONS: Record<Exclude<Branch['mode'], 'BRANCH_EQ' | 'BRANCH_NEQ'>, Exclude<Comparison, '='>> = {
  BRANCH_LEQ: '<=',
  BRANCH_LT: '<',
  BRANCH_GTE: '>=',
  BRANCH_GT: '>',
};

/** What a tree is asked about. */
export type Given = { readonly columns: readonly Term[]; readonly shares: PassingShares };

/** What one tree says of one target, as nested CASEs. Branches that come to the same are one. */
export function treeTerm(call: OperatorCall, tree: Tree, target: number, given: Given): Term {
  const made = nested(call, tree, target, given);
  return typeof made === 'number' ? constant('float32', made) : made;
}

function nested(call: OperatorCall, tree: Tree, target: number, given: Given): Term | number {
  if (isLeaf(tree)) return tree.weights.get(target) ?? 0;
  const passed = nested(call, tree.passed, target, given);
  const failed = nested(call, tree.failed, target, given);
  if (passed === failed) return passed;
  const column = given.columns[tree.column];
  if (column === undefined) throw unsupported(call, 'of columns that are not there');
  call.critical.add(reproducible(call, column), [tree.threshold]);
  const condition = testOf(tree, column);
  const share = given.shares.get(tree);
  return tree.mode === 'BRANCH_NEQ'
    ? rareFirst(condition, share === undefined ? undefined : 1 - share, failed, passed)
    : rareFirst(condition, share, passed, failed);
}

/** NaN is unequal to all, so that it always passes BRANCH_NEQ. */
function testOf({ mode, threshold, missingPasses }: Branch, column: Term): Term {
  const equals = compareTo(column, '=', threshold);
  if (mode === 'BRANCH_NEQ') return equals;
  if (mode === 'BRANCH_EQ') return missingPasses ? bool`${equals} or ${isNaNTerm(exactly(column))}` : equals;
  return (missingPasses ? passesOrNaN : compareTo)(column, RELATIONS[mode], threshold);
}

/**
 * From a THEN, a jump leads to the end of its CASE, and on to the end of those around it; an ELSE is there already: the
 * rarer side first takes 3 to 4 % less time than the smaller one, which is taken for the rarer where nothing tells.
 */
function rareFirst(condition: Term, share: number | undefined, passed: Term | number, failed: Term | number): Term {
  const opposite = condition.traits.opposite?.();
  const often = share === undefined ? branchesIn(passed) > branchesIn(failed) : share > 0.5;
  const swapped = opposite !== undefined && often;
  const made = swapped ? branching(opposite, failed, passed) : branching(condition, passed, failed);
  branchCounts.set(made, 1 + branchesIn(passed) + branchesIn(failed));
  return made;
}

const branchCounts = new WeakMap<Term, number>();

function branchesIn(branch: Term | number): number {
  return typeof branch === 'number' ? 0 : (branchCounts.get(branch) ?? 0);
}

function branching(condition: Term, passed: Term | number, failed: Term | number): Term {
  const bothLeaves = typeof passed === 'number' && typeof failed === 'number';
  const operands = [condition];
  const pieces = ['case when ', ' then '];
  const append = (branch: Term | number, typed: boolean, after: string) => {
    if (typeof branch === 'number') pieces.push((pieces.pop() ?? '') + leaf(branch, typed) + after);
    else {
      operands.push(branch);
      pieces.push(after);
    }
  };
  append(passed, bothLeaves, ' else ');
  append(failed, false, ' end');
  return { kind: 'float32', pieces, operands, traits: { range: 'finite' } };
}

/** One branch with a type settles that of the CASE. */
function leaf(value: number, typed: boolean): string {
  return typed ? typedNumber(value) : untypedNumber(value);
}
