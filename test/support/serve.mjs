// A service in a process of its own, so that tests can kill, stop and continue it. Tells its parent what it is.
import { availableParallelism } from 'node:os';
import { createLogger, serviceConfig, startService } from '../../dist/index.js';

const service = await startService(
  serviceConfig({}, Math.min(2, availableParallelism())),
  createLogger('debug', false),
);
process.on('SIGTERM', () => {
  // It is to end by itself then: what a service left open would keep it.
  void service.stop().then(() => {
    process.off('disconnect', die);
    if (process.connected) process.disconnect();
  });
});
const tell = () => {
  const { id, url, scorerPids, gateway } = service;
  process.send?.({ id, url, scorerPids: [...scorerPids], gateway });
};
process.on('message', tell);
tell();
// A test that dies leaves no service behind.
function die() {
  process.exit(0);
}
process.on('disconnect', die);
