import { PgscoreError } from '../errors.ts';
import { GraphLost } from '../inference/graph.ts';
import { WireError } from './protocol/wire-error.ts';

/** A version that made runners hang or crash. */
export function refusedForAWhile(versionId: number, ms: number): WireError {
  const minutes = Math.ceil(ms / 60_000);
  return new WireError(
    '55000',
    `version ${versionId} hung or crashed the process that ran it twice within ten minutes`,
    {
      hint: `Promote another version, or pass no rows that make it hang; it is tried again in ${minutes} minutes. The log of the service says more.`,
    },
  );
}

/** Why a version is not there to be run. */
export function loadFailure(error: unknown, versionId: number): WireError {
  if (error instanceof WireError) return error;
  if (error instanceof GraphLost) {
    return new WireError('XX000', `version ${versionId} could not be loaded: ${error.message}`, {
      hint: 'The log of the service says more; where it happens again, promote another version.',
      cause: error,
    });
  }
  if (!(error instanceof PgscoreError)) {
    return new WireError('58000', `version ${versionId} could not be read from the database`, {
      hint: 'The log of the service says why; the call may succeed when tried again.',
      cause: error,
    });
  }
  if (error.code === 'version_missing') {
    return new WireError('42704', `version ${versionId} is not ready or was dropped`, {
      hint: 'pgscore.models lists the versions that can be scored with.',
      cause: error,
    });
  }
  return new WireError(error.retry ? '58000' : '55000', error.message, { hint: error.remedy, cause: error });
}
