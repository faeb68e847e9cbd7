import type { ModelHistory } from './model-history.ts';
import type { Nights } from './nights.ts';
import type { RecordKeeper } from './slow-record.ts';
import { TRUTHS } from './watched.ts';

/** Everything that happens in a night and the day after it. */
export async function passNight(history: ModelHistory<RecordKeeper>, nights: Nights, night: number): Promise<void> {
  // Every ninth night the run before it ends after it.
  if (night % 9 !== 8) await history.run(1, nights.full(night));
  if (night % 9 === 0 && night > 0) await history.run(1, nights.full(night - 1));
  if (night % 7 === 2) await history.run(2, nights.full(night, 2));
  if (night % 5 === 1) await history.run(1, nights.small(night, 30));
  if (night % 5 === 3) await history.run(1, nights.small(night, 1));
  if (night % 10 === 5) await history.run(1, nights.timed(night));
  if (night % 4 === 0) await history.calls(1 + (night % 8 === 0 ? 1 : 0), nights.calls(night, 20), 'singly');
  if (night % 4 === 2) await history.calls(1, nights.calls(night, 40), 'in blocks');
  const [no = '', yes = ''] = TRUTHS[history.model.task];
  const truths: Readonly<Record<string, string>> = { no, yes };
  await history.tell(nights.told(night).map((told) => ({ ...told, truth: truths[told.truth ?? ''] ?? null })));
}
