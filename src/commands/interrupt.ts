/** Ctrl-C while something is waited for. */
export type Interrupt = {
  /** Whether Ctrl-C was pressed, since the start or since it was last asked. */
  take(): boolean;
  release(): void;
};

/** Holds the first Ctrl-C back, to be acted on; the second ends the process at once. */
export function holdInterrupt(): Interrupt {
  let pressed = false;
  const hold = (): void => {
    pressed = true;
    process.once('SIGINT', leave);
  };
  process.once('SIGINT', hold);
  return {
    take: () => {
      const was = pressed;
      pressed = false;
      return was;
    },
    release: () => {
      process.removeListener('SIGINT', hold);
      process.removeListener('SIGINT', leave);
    },
  };
}

function leave(): never {
  process.exit(130);
}
