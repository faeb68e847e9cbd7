const TELL_MS = 500;

/**
 * The items of a source, with a sign of life while the next one is awaited: a view may compute for minutes before its
 * first row, which is not the scorer's fault.
 */
export async function* awaited<T>(source: AsyncIterable<T>, tell: () => void): AsyncGenerator<T> {
  let waiting = setInterval(tell, TELL_MS);
  try {
    for await (const item of source) {
      clearInterval(waiting);
      yield item;
      waiting = setInterval(tell, TELL_MS);
    }
  } finally {
    clearInterval(waiting);
  }
}
