import { setImmediate as afterCallers } from 'node:timers/promises';
import { HEADER, TRAILER } from '../copy/format.ts';
import type { Link } from '../db/link.ts';
import { Step, together } from '../db/trip.ts';
import { COLUMNS, encodeCalls } from './encode-calls.ts';
import type { KeepCalls } from './record.ts';

const COPY = `copy pgscore_data.online_prediction (${COLUMNS}) from stdin (format binary)`;
/** Written in a millisecond or two: so long may a caller be kept waiting. */
const CALLS_A_TURN = 500;

/** Keeps calls in pgscore_data.online_prediction: a row for each prediction, one for a call that failed. */
export function keepCalls(link: Link): KeepCalls {
  return async (calls) => {
    const pieces: Buffer[] = [HEADER];
    for (let from = 0; from < calls.length; from += CALLS_A_TURN) {
      pieces.push(encodeCalls(calls.slice(from, from + CALLS_A_TURN)));
      await afterCallers();
    }
    pieces.push(TRAILER);
    await link.insist((client) => together(client, [new Step({ text: COPY }, pieces)]));
  };
}
