/** The process that the fuzzer attacks. Asked by its parent, it tells how it is. */
import { startGatewayToAttack } from './gateway-to-attack.ts';

const defects: string[] = [];
const note = (error: unknown): void => {
  if (defects.length < 20) defects.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
};
process.on('unhandledRejection', note);

const { server, port, handler } = await startGatewayToAttack(note);
process.on('message', () => {
  globalThis.gc?.();
  const { rss } = process.memoryUsage();
  process.send?.({ port, rss, connections: server.connections, calls: handler.calls, defects });
});
process.on('disconnect', () => process.exit(0));
