/** The segments of the rows of a batch. */
export type SegmentPlaces = {
  /** For each column, where the value of each row stands among its values. */
  readonly places: readonly Uint8Array[];
  /** The values of each column, by place; null is NULL. They are only ever added to. */
  readonly values: readonly (readonly (string | null)[])[];
};
