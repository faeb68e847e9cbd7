import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { logConfig, serviceConfig } from '../config.ts';
import type { OptionName } from '../config.ts';
import { createLogger } from '../log.ts';
import type { Logger } from '../log.ts';
import { flagsOf, settingOption } from './options.ts';

const DESCRIPTION = `Runs the service: it checks deployed models, scores requested runs, and fires schedules.

Everything it knows is in the database: stop it at any time, or run as many as you like, on as many hosts, against the
same database. The first SIGTERM or Ctrl-C lets it finish or give back what it has in hand; a second one makes it give all back at once.`;

const SETTINGS: readonly OptionName[] = [
  'databaseUrl',
  'readerUrl',
  'readerPassword',
  'scorers',
  'batchRows',
  'batchSeconds',
  'checkSeconds',
  'checkMemory',
  'native',
  'modelMemory',
  'pollSeconds',
  'leaseSeconds',
  'graceSeconds',
  'httpHost',
  'httpPort',
  'pageToken',
  'pageUserHeader',
  'gatewayHost',
  'gatewayPort',
  'gatewayTlsCert',
  'gatewayTlsKey',
  'gatewayPassword',
  'gatewayConnections',
  'gatewaySilenceSeconds',
  'onlineDeadlineSeconds',
  'onlineDeadlineLimitSeconds',
  'alertWebhook',
  'alertSecret',
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
    const { first, second } = stopSignals(log);
    // What the service is made of would double the start of every other command.
    const { startService } = await import('../service/service.ts');
    const service = await startService(serviceConfig(flags, availableParallelism()), log);
    await first;
    void second.then(() => service.stop());
    await service.stop();
  });
}

/** Each resolves at a SIGTERM or Ctrl-C of its own; a third one ends the process. */
function stopSignals(log: Logger): { first: Promise<void>; second: Promise<void> } {
  const steps: { say: string; go: () => void }[] = [];
  const step = (say: string): Promise<void> => new Promise((go) => steps.push({ say, go }));
  const signals = {
    first: step('stopping; a second signal gives back at once what is in hand'),
    second: step('giving back what is in hand; a third signal ends the process'),
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    const next = steps.shift();
    if (next === undefined) process.exit(1);
    log.info({ signal }, next.say);
    next.go();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return signals;
}
