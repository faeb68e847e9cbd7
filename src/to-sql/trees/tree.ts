/** A node of a decision tree: a test of one column, or what the tree says. */
export type Tree = Branch | Leaf;

export type Mode = 'BRANCH_LEQ' | 'BRANCH_LT' | 'BRANCH_GTE' | 'BRANCH_GT' | 'BRANCH_EQ' | 'BRANCH_NEQ';

export type Branch = {
  readonly mode: Mode;
  readonly column: number;
  readonly threshold: number;
  /** Whether NaN passes the test. */
  readonly missingPasses: boolean;
  readonly passed: Tree;
  readonly failed: Tree;
};

/** Weights of targets (or classes); those that are not named get nothing. */
export type Leaf = { readonly weights: ReadonlyMap<number, number> };

export function isLeaf(tree: Tree): tree is Leaf {
  return 'weights' in tree;
}

export function leavesOf(tree: Tree): Leaf[] {
  return isLeaf(tree) ? [tree] : [...leavesOf(tree.passed), ...leavesOf(tree.failed)];
}
