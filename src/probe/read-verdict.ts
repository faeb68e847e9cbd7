import { PgscoreError } from '../errors.ts';
import type { ProbeReport, Settled } from './check-model.ts';
import { readFrames } from './frame.ts';
import type { Verdict } from './verdict.ts';

/**
 * The report of a complete verdict, or the reason for a refusal; undefined for anything else, as a process writes it that
 * died, or that a model has got hold of.
 */
export async function readVerdict(
  stream: AsyncIterable<Uint8Array>,
  onSettled: (settled: Settled) => void,
): Promise<ProbeReport | PgscoreError | undefined> {
  let settled: Settled | undefined;
  for await (const { head, body } of readFrames<Verdict>(stream)) {
    if ('refusal' in head) {
      const { code, message, remedy } = head.refusal;
      return new PgscoreError(code, message, remedy === undefined ? {} : { remedy });
    }
    if ('report' in head) return settled && { ...settled, ...head.report };
    // What is compiled is what is served.
    if (settled !== undefined) return undefined;
    settled = { ...head.settled, served: head.changed ? body : null };
    onSettled(settled);
  }
  return undefined;
}
