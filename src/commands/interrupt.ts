/** Ctrl-C while something is waited for. */
export type Interrupt = {
  /** Is aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  release(): void;
};

/** Holds the first Ctrl-C back and calls `pressed`; the second ends the process at once. */
export function holdInterrupt(pressed: () => void): Interrupt {
  const controller = new AbortController();
  const hold = (): void => {
    process.once('SIGINT', leave);
    pressed();
    controller.abort();
  };
  process.once('SIGINT', hold);
  return {
    signal: controller.signal,
    release: () => {
      process.removeListener('SIGINT', hold);
      process.removeListener('SIGINT', leave);
    },
  };
}

function leave(): never {
  process.exit(130);
}
