/** Counts and sums of days, one row of a matrix each, which grow with the days. */
export class DayCounts {
  /** Slots of all features together, and features: the columns of the two matrices. */
  readonly slots: number;
  readonly features: number;
  counts = new Uint32Array(0);
  sums = new Float64Array(0);
  /** Numbers that are there and not summed. */
  beyond = new Uint32Array(0);
  #days = 0;

  constructor(slots: number, features: number) {
    this.slots = slots;
    this.features = features;
  }

  /** Makes room for so many days. */
  reach(days: number): void {
    if (days <= this.#days) return;
    this.#days = Math.max(days, 2 * this.#days);
    const { counts, sums, beyond } = this;
    this.counts = new Uint32Array(this.#days * this.slots);
    this.sums = new Float64Array(this.#days * this.features);
    this.beyond = new Uint32Array(this.#days * this.features);
    this.counts.set(counts);
    this.sums.set(sums);
    this.beyond.set(beyond);
  }
}
