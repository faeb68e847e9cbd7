/** Work in a single step, where steps are asked for. */
export function oneStep<T>(work: () => T): Iterator<void, T> {
  return { next: () => ({ done: true, value: work() }) };
}
