import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { logConfig, serviceConfig } from '../config.ts';
import type { OptionName } from '../config.ts';
import { createLogger } from '../log.ts';
import type { Logger } from '../log.ts';
import { flagsOf, settingOption } from './options.ts';

const DESCRIPTION = `Runs the service: it checks deployed models, scores requested runs, and fires schedules.

Everything it knows is in the database: stop it at any time, or run as many as you like, on as many hosts, against the
same database. The first SIGTERM or Ctrl-C lets it finish or give back what it has in hand; a second one ends it at once.`;

const SETTINGS: readonly OptionName[] = [
  'databaseUrl',
  'readerUrl',
  'readerPassword',
  'scorers',
  'batchRows',
  'batchSeconds',
  'checkSeconds',
  'checkMemory',
  'modelMemory',
  'pollSeconds',
  'leaseSeconds',
  'graceSeconds',
  'httpHost',
  'httpPort',
  'logLevel',
  'logPretty',
];

export function addServe(program: Command): void {
  const command = program.command('serve').summary('run the service that scores').description(DESCRIPTION);
  for (const name of SETTINGS) command.addOption(settingOption(name));
  command.action(async () => {
    const flags = flagsOf(command);
    const { level, pretty } = logConfig(flags, process.stderr.isTTY);
    const log = createLogger(level, pretty);
    const asked = firstSignal(log);
    // What the service is made of would double the start of every other command.
    const { startService } = await import('../supervisor/service.ts');
    const service = await startService(serviceConfig(flags, availableParallelism()), log);
    await asked;
    await service.stop();
  });
}

/** Resolves at SIGTERM or Ctrl-C; the next one after it ends the process at once. */
function firstSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, 'stopping; a second signal ends it at once');
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
