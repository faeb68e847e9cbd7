import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines on standard error, or a readable form where a person looks on. */
export function createLogger(level: LogLevel, pretty: boolean): Logger {
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (!pretty) return pino(options, pino.destination({ dest: 2, sync: true }));
  const transport = {
    target: 'pino-pretty',
    options: { destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' },
  };
  return pino({ level, base: null, transport });
}

/** Logs unhandled promise rejections, which are defects, instead of ending the process. Returns a function that removes the handler. */
export function logUnhandledRejections(log: Logger): () => void {
  const survive = (reason: unknown): void =>
    log.error({ err: reason }, 'a failure went unnoticed; please report it as a defect of pgscore');
  process.on('unhandledRejection', survive);
  return () => process.off('unhandledRejection', survive);
}
