/** How much a bench does. */
export type BenchPlan = {
  /** Whether accuracy is kept on the same server as all else, rather than on a larger one of its own. */
  readonly isOnOneStage: boolean;
  /** Rows of the table that is scored. */
  readonly rows: number;
  /** Rows of the table that memory is watched over, beside that one. */
  readonly largeRows: number;
  /** Rows for the ways that are too slow for all. */
  readonly fewRows: number;
  readonly rounds: number;
  /** Runs of one row, one after the other. */
  readonly singleRuns: number;
  /** Such runs before those that are measured. */
  readonly unmeasuredRuns: number;
  /** Runs of one row a second, and for how many seconds. */
  readonly rate: number;
  readonly rateSeconds: number;
  /** How long a service is watched that has nothing to do. */
  readonly idleSeconds: number;
  readonly score: ScorePlan;
  readonly watch: WatchPlan;
  readonly monitor: MonitorPlan;
};

/** How much keeping accuracy up to date is measured. */
export type MonitorPlan = {
  /** Predictions that are known, over 120 days. */
  readonly predictions: number;
  /** How many labels change. */
  readonly labels: readonly number[];
  /** The number that is measured over a tenth of the history, too. */
  readonly compared: number;
  readonly rounds: number;
  readonly nightly: NightlyPlan;
};

/** How much nightly runs are measured. */
export type NightlyPlan = {
  /** Rows of a run that is measured, and how many of them. */
  readonly rows: number;
  readonly rounds: number;
  /** Nights that are kept, each of so many entities: as a million go into blocks of the same size. */
  readonly nights: number;
  readonly entities: number;
  /** Labels that judge one night. */
  readonly labels: number;
};

/** How much calls of score() are measured. */
export type ScorePlan = {
  /** Rows of the tables whose rows are scored, and of their part for the ways that are slow. */
  readonly tableRows: number;
  readonly slowRows: number;
  /** Rows of the table that one query scores by several processes. */
  readonly largeRows: number;
  /** Rows that one score_rows() is given. */
  readonly rowsCall: number;
  /** Calls of one client, one after the other, and such calls before: by then both sides have compiled what they run often. */
  readonly singleCalls: number;
  readonly unmeasuredCalls: number;
  readonly clients: number;
  /** How long they call, and score_rows() is called, in each round: long enough that what the first calls take does not count for much. */
  readonly seconds: number;
  readonly rounds: number;
  /** How often a shadow hangs, each time until the service kills it after so many seconds. */
  readonly shadowCycles: number;
  readonly shadowSeconds: number;
};

/** How much runs over changed rows are measured: one row in a hundred changes each round. */
export type ChangedPlan = { readonly rows: number; readonly rounds: number };

/** How much following a table is measured. */
export type WatchPlan = {
  /** Rows of the table, and of a burst. */
  readonly rows: number;
  readonly burst: number;
  /** Rows a second that are inserted one by one, and for how long. */
  readonly rate: number;
  readonly seconds: number;
  /** Statements of one row, rows of one update and of one COPY, whose cost is compared with that of a table without triggers. */
  readonly statements: number;
  readonly bulk: number;
  readonly copied: number;
  readonly rounds: number;
  readonly load: LoadPlan;
  readonly changed: ChangedPlan;
};

/** How much writers and a service at rest are measured, beside watches. */
export type LoadPlan = {
  /** Rows of each table. */
  readonly rows: number;
  readonly clients: number;
  readonly loadSeconds: number;
  readonly rounds: number;
  readonly idleSeconds: number;
};

/** What the requirements are stated for. */
export const FULL: BenchPlan = {
  isOnOneStage: false,
  rows: 1_000_000,
  largeRows: 5_000_000,
  fewRows: 200_000,
  rounds: 5,
  singleRuns: 500,
  unmeasuredRuns: 1000,
  rate: 300,
  rateSeconds: 20,
  idleSeconds: 60,
  score: {
    tableRows: 100_000,
    slowRows: 20_000,
    largeRows: 2_000_000,
    rowsCall: 100_000,
    singleCalls: 2000,
    unmeasuredCalls: 500,
    clients: 16,
    seconds: 10,
    rounds: 3,
    shadowCycles: 2,
    shadowSeconds: 1,
  },
  watch: {
    rows: 200_000,
    burst: 100_000,
    rate: 500,
    seconds: 15,
    statements: 2000,
    bulk: 100_000,
    copied: 1_000_000,
    rounds: 3,
    load: { rows: 50_000, clients: 8, loadSeconds: 5, rounds: 3, idleSeconds: 30 },
    changed: { rows: 1_000_000, rounds: 5 },
  },
  monitor: {
    predictions: 10_000_000,
    labels: [0, 100, 10_000, 100_000],
    compared: 10_000,
    rounds: 3,
    nightly: { rows: 1_000_000, rounds: 3, nights: 400, entities: 15_625, labels: 5000 },
  },
};

/** A smoke test: whether everything runs, not how fast. */
export const QUICK: BenchPlan = {
  isOnOneStage: true,
  rows: 5000,
  // Enough to be scored in shards.
  largeRows: 50_000,
  fewRows: 200,
  rounds: 1,
  singleRuns: 5,
  unmeasuredRuns: 5,
  rate: 20,
  rateSeconds: 2,
  idleSeconds: 1,
  score: {
    tableRows: 2000,
    slowRows: 200,
    largeRows: 5000,
    rowsCall: 1000,
    singleCalls: 20,
    unmeasuredCalls: 20,
    clients: 2,
    seconds: 1,
    rounds: 1,
    shadowCycles: 1,
    shadowSeconds: 0.1,
  },
  watch: {
    rows: 2000,
    burst: 2000,
    rate: 50,
    seconds: 2,
    statements: 50,
    bulk: 1000,
    copied: 1000,
    rounds: 1,
    load: { rows: 2000, clients: 1, loadSeconds: 1, rounds: 1, idleSeconds: 1 },
    changed: { rows: 5000, rounds: 1 },
  },
  monitor: {
    predictions: 10_000,
    labels: [0, 100],
    compared: 100,
    rounds: 1,
    nightly: { rows: 5000, rounds: 1, nights: 3, entities: 2000, labels: 100 },
  },
};

/** The same plan for tables of another size. */
export function withRows(plan: BenchPlan, rows: number): BenchPlan {
  return { ...plan, rows, largeRows: rows * (plan.largeRows / plan.rows), fewRows: Math.min(plan.fewRows, rows) };
}
