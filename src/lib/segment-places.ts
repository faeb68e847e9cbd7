/** The segments of the rows of a batch. */
export type SegmentPlaces = {
  /** For each column, where the value of each row stands among its values. */
  readonly places: readonly Uint32Array[];
  /** The values of each column, by place; null is NULL. They are only ever added to. */
  readonly values: readonly (readonly (string | null)[])[];
  /** For each column, the first place of a value that has no name yet. */
  readonly firstUnnamed: readonly number[];
};
