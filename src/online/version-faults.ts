import { PgscoreError } from '../errors.ts';
import { GraphLost } from '../inference/graph.ts';
import { WireError } from './protocol/wire-error.ts';

const MEMORY_MS = 600_000;
/** One may be an accident. */
const TOO_MANY = 2;

/** Which versions hung or crashed their runners. One that did so twice within ten minutes is refused until that is past. */
export class VersionFaults {
  readonly #faults = new Map<number, number[]>();

  add(versionId: number, now: number): void {
    this.#faults.set(versionId, [...this.#recent(versionId, now), now]);
  }

  /** For how long a version is refused; undefined where it is not. */
  refusedMs(versionId: number, now: number): number | undefined {
    const deciding = this.#recent(versionId, now).at(-TOO_MANY);
    return deciding === undefined ? undefined : deciding + MEMORY_MS - now;
  }

  /** @throws WireError where a version is refused */
  check(versionId: number, now: number): void {
    const ms = this.refusedMs(versionId, now);
    if (ms === undefined) return;
    const minutes = Math.ceil(ms / 60_000);
    throw new WireError(
      '55000',
      `version ${versionId} hung or crashed the process that ran it twice within ten minutes`,
      {
        hint: `Promote another version, or pass no rows that make it hang; it is tried again in ${minutes} minutes. The log of the service says more.`,
      },
    );
  }

  #recent(versionId: number, now: number): number[] {
    return (this.#faults.get(versionId) ?? []).filter((at) => now - at < MEMORY_MS);
  }
}

/** Why a version could not be loaded. */
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

/** Why the rows of a run have no answer. */
export function runFailure(error: unknown): WireError {
  if (error instanceof WireError) return error;
  if (error instanceof GraphLost) {
    return new WireError('XX000', error.message, {
      hint: 'Call again; a new process takes over. If it happens repeatedly, the log of the service names the version.',
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new WireError('XX000', `the model could not be run: ${reason}`, {
    hint: 'The log of the service says more.',
    cause: error,
  });
}
