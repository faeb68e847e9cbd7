/** The built service in a process of its own, so that its CPU time is counted apart from that of the bench. */
import { availableParallelism } from 'node:os';
import { createLogger, serviceConfig, startService } from 'pgscore';

process.once('message', (flags) => void serve(flags));
process.on('disconnect', () => process.exit(0));

async function serve(flags) {
  const service = await startService(serviceConfig(flags, availableParallelism()), createLogger('warn', false));
  process.once('SIGTERM', () => void service.stop().then(() => process.exit(0)));
  process.send({ scorerPids: [...service.scorerPids] });
}
