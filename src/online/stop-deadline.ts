/** A process that still reads its programs has said nothing yet. */
const STARTING_MS = 30_000;

/** How long a gateway may be silent before it is taken for hanging: by the clock, and at its start as it works. */
export function patienceMs(silenceMs: number, started: boolean): number {
  return started ? silenceMs : Math.max(STARTING_MS, silenceMs);
}
