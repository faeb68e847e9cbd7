import { LocalClock } from '../lib/local-clock.ts';

/** Offsets of time zones are multiples of this, and so are the ends of local days. */
const SLOT_US = 900_000_000;
const DAY_MS = 86_400_000;
/** Three years of them: rows of calls say any times. */
const MOST_SLOTS = 100_000;
/** Microseconds from 1970 to 2000, from where PostgreSQL counts. */
const POSTGRES_EPOCH_US = 946_684_800_000_000;

/** The local day of an instant, for many instants that lie close together. */
export class LocalDays {
  readonly #timeZone: string;
  #clock: LocalClock | undefined;
  readonly #days = new Map<number, number>();
  #slot = Number.NaN;
  #day = Number.NaN;

  constructor(timeZone: string) {
    this.#timeZone = timeZone;
  }

  /** Start of the local day, in seconds since 1970. `instant` is in microseconds since 2000, as PostgreSQL keeps a timestamptz. */
  startOf(instant: number): number {
    const slot = Math.floor((instant + POSTGRES_EPOCH_US) / SLOT_US);
    if (slot !== this.#slot) {
      this.#slot = slot;
      this.#day = this.#days.get(slot) ?? this.#look(slot);
    }
    return this.#day;
  }

  #look(slot: number): number {
    // Made when it is needed: a formatter of dates takes a tenth of a megabyte that the garbage collector does not see.
    this.#clock ??= new LocalClock(this.#timeZone);
    const reading = this.#clock.reading((slot * SLOT_US) / 1000);
    const day = this.#clock.firstReached(Math.floor(reading / DAY_MS) * DAY_MS) / 1000;
    if (this.#days.size >= MOST_SLOTS) this.#days.clear();
    this.#days.set(slot, day);
    return day;
  }
}
