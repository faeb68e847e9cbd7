/** How much a bench does. */
export type BenchPlan = {
  /** Rows of the table that is scored. */
  readonly rows: number;
  /** Rows of the table that memory is watched over, beside that one. */
  readonly largeRows: number;
  /** Rows for the ways that are too slow for all. */
  readonly fewRows: number;
  readonly rounds: number;
  /** Runs of one row, one after the other. */
  readonly singleRuns: number;
  /** Runs of one row a second, and for how many seconds. */
  readonly rate: number;
  readonly rateSeconds: number;
};

/** What the requirements are stated for. */
export const FULL: BenchPlan = {
  rows: 1_000_000,
  largeRows: 5_000_000,
  fewRows: 200_000,
  rounds: 5,
  singleRuns: 200,
  rate: 300,
  rateSeconds: 20,
};

/** A smoke test: whether everything runs, not how fast. */
export const QUICK: BenchPlan = {
  rows: 100_000,
  largeRows: 300_000,
  fewRows: 20_000,
  rounds: 1,
  singleRuns: 40,
  rate: 100,
  rateSeconds: 3,
};

/** The same plan for tables of another size. */
export function withRows(plan: BenchPlan, rows: number): BenchPlan {
  return { ...plan, rows, largeRows: rows * (plan.largeRows / plan.rows), fewRows: Math.min(plan.fewRows, rows) };
}
