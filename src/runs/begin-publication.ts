import { statement } from '../postgres/statement.ts';

/** SQLSTATE of a run that is another worker's by now, was cancelled, or has ended. */
export const RUN_LOST = 'PS001';
/** SQLSTATE of a target that is not as it was expected to be. */
export const TARGET_CHANGED = 'PS002';

/**
 * First step of a publishing transaction: locks the run and its target. `latest` says whether the run becomes what the
 * latest view shows. Where `expected` values are given and differ, it raises TARGET_CHANGED, so that steps which rely on
 * them can follow in the same trip. The run is changed once, at the end: a second change in one transaction would check
 * its foreign keys again.
 */
export const beginPublication = statement<
  [
    runId: string,
    attempt: number,
    worker: string,
    snapshotAt: string,
    expectedLatest: boolean | null,
    expectedGeneration: number | null,
  ],
  { latest: boolean; current_generation: number; current_rows: string }
>(
  'begin_publication',
  'select latest, current_generation, current_rows from pgscore_data._begin_publication($1, $2, $3, $4, $5, $6)',
);
