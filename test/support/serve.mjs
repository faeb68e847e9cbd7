// A service in a process of its own, so that tests can kill, stop and continue it. Tells its parent what it is.
import { availableParallelism } from 'node:os';
import { createLogger, serviceConfig, startService } from '../../dist/index.js';

const service = await startService(
  serviceConfig({}, Math.min(2, availableParallelism())),
  createLogger('debug', false),
);
process.on('SIGTERM', () => {
  void service.stop().then(() => process.exit(0));
});
const tell = () => {
  const { worker, url, scorerPids, gateway } = service;
  process.send?.({ worker, url, scorerPids: [...scorerPids], gateway });
};
process.on('message', tell);
tell();
// A test that dies leaves no service behind.
process.on('disconnect', () => process.exit(0));
