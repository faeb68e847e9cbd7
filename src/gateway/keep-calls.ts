import { HEADER, TRAILER } from '../copy/format.ts';
import type { Link } from '../db/link.ts';
import { Step } from '../db/step.ts';
import { together } from '../db/trip.ts';
import { COLUMNS } from './encode-calls.ts';
import type { KeepCalls } from './record.ts';

const COPY = `copy pgscore_data.online_prediction (${COLUMNS}) from stdin (format binary)`;

/** Keeps calls in pgscore_data.online_prediction: a row for each prediction, one for a call that failed. */
export function keepCalls(link: Link): KeepCalls {
  return (encoded) =>
    link.insist((client) => together(client, [new Step({ text: COPY }, [HEADER, ...encoded, TRAILER])]));
}
