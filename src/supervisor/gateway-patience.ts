/** A process that reads its programs on a busy machine has said nothing yet. */
const STARTING_MS = 30_000;

/** How long a gateway may be silent before it is taken for hanging. */
export function patienceMs(silenceMs: number, started: boolean): number {
  return started ? silenceMs : Math.max(STARTING_MS, silenceMs);
}
