import type { EventTimes } from './event-time.ts';

/** A call, and what each of its rows is about, null where it does not say; of none, where no column says it. */
export type Keyed<Call> = {
  readonly call: Call;
  readonly keys: readonly (readonly string[] | null)[];
  readonly eventTimes: EventTimes;
};
