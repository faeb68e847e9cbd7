type RetryPolicy = {
  readonly attempts: number;
  /** Pause before the second attempt; it doubles, with jitter, up to a second. */
  readonly pauseMs: number;
  readonly again: (error: unknown) => boolean;
};

/** Does `work` again while it fails in a way that may pass; the last error is the one thrown. */
export async function retrying<T>(work: () => Promise<T>, policy: RetryPolicy): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= policy.attempts || !policy.again(error)) throw error;
      await pause(backoff(attempt, policy.pauseMs, 1000));
    }
  }
}

/** Milliseconds before the next attempt: doubled each time up to `most`, halved at random so that many do not come at once. */
export function backoff(attempt: number, first: number, most: number): number {
  const full = Math.min(most, first * 2 ** (attempt - 1));
  return full / 2 + (Math.random() * full) / 2;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Resolves when `work` has, or after `limitMs`, whichever is first; leaves no timer behind. */
export async function within(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
