/** The gateway process: answers score() on a port of its own, tells its parent that it lives, and ends with it. */
import { errorParts } from '../errors.ts';
import { endWithParent, listenToParent, tellParent, warningOf } from '../lib/child-process.ts';
import type { LoadedVersion } from '../models/load-version.ts';
import { Gateway } from './gateway.ts';
import type { FromGateway, GatewaySettings, ToGateway } from './gateway-process.ts';

const ALIVE_EVERY_MS = 500;

// A model that never ends blocks this thread, and 'disconnect' would not be heard.
endWithParent(Number(process.argv[2]));

let gateway: Gateway | undefined;

function send(message: FromGateway, onSent?: () => void): void {
  tellParent(message, onSent);
}

function warn(message: string, error: unknown): void {
  send(warningOf(message, error));
}

async function start(settings: GatewaySettings): Promise<void> {
  gateway = new Gateway(settings, warn);
  try {
    send({ type: 'listening', ...(await gateway.listen()) });
  } catch (error) {
    send({ type: 'refused', ...errorParts(error) }, () => process.exit(1));
  }
  setInterval(tellAlive, ALIVE_EVERY_MS);
}

function tellAlive(): void {
  if (gateway !== undefined) send({ type: 'alive', statistics: gateway.statistics });
}

async function drain(): Promise<void> {
  await gateway?.drain();
  tellAlive();
  process.exit(0);
}

async function prepare(versionId: number, version: LoadedVersion): Promise<void> {
  try {
    await gateway?.models.prepare(versionId, version);
  } catch (error) {
    warn(`version ${versionId} could not be loaded before its first call`, error);
  }
  send({ type: 'prepared', versionId });
}

listenToParent((message: ToGateway) => {
  switch (message.type) {
    case 'start':
      return void start(message.settings);
    case 'warm':
      return void gateway?.models.warm(message.versions);
    case 'prepare':
      return void prepare(message.versionId, message.version);
    case 'drain':
      return void drain();
  }
});
// One client's trouble must not cost the others their connections.
process.on('unhandledRejection', (error) => warn('a stray rejection in the gateway', error));
