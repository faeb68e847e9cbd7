import type { Logger } from '../log.ts';

/** From now on a promise that is rejected and that nobody looks at, a defect, is logged and does not end the process; call the result to undo this. */
export function surviveStrayRejections(log: Logger): () => void {
  const survive = (reason: unknown): void =>
    log.error({ err: reason }, 'a failure went unnoticed; please report it as a defect of pgscore');
  process.on('unhandledRejection', survive);
  return () => process.off('unhandledRejection', survive);
}
