import { availableParallelism } from 'node:os';
import { serviceConfig } from '../config.ts';
import type { Flags } from '../config.ts';
import { createLogger } from '../log.ts';
import { startService } from '../supervisor/service.ts';

/** The service under measurement, in a process of its own so that its CPU time does not mix with the bench's. */
process.once('message', (flags: Flags) => void serve(flags));

async function serve(flags: Flags): Promise<void> {
  const service = await startService(serviceConfig(flags, availableParallelism()), createLogger('warn', false));
  process.once('SIGTERM', () => void service.stop().then(() => process.exit(0)));
  process.send?.({ scorerPids: [...service.scorerPids] });
}

process.on('disconnect', () => process.exit(0));
