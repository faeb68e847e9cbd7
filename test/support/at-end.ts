type Work = () => Promise<void> | void;

const place = globalThis as { atEnd?: Work[] };

/** Has something done when the test file is done, the last first, also where all of its tests are skipped: Jest calls no afterAll() then. */
export function atEnd(work: Work): void {
  place.atEnd = [...(place.atEnd ?? []), work];
}
