import type { VersionStep } from '../gateway/messages.ts';

/** Loading a large model blocks the gateway for so long at most. */
const LOADING_MS = 120_000;
/** A process that reads its programs on a busy machine has said nothing yet. */
const STARTING_MS = 30_000;

/** How long a gateway may be silent before it is taken for hanging. `step`: what it is about with a version. */
export function patienceMs(silenceMs: number, started: boolean, step: VersionStep | undefined): number {
  if (!started) return Math.max(STARTING_MS, silenceMs);
  return step === 'load' ? Math.max(LOADING_MS, silenceMs) : silenceMs;
}
