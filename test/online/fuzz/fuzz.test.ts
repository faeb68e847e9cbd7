import { expect, test } from '@jest/globals';

import { waitFor } from '../../support/wait-for.ts';
import { rowsOf, WireClient } from '../wire-client.ts';
import { attack } from './attack.ts';
import { startGatewayToAttack } from './gateway-to-attack.ts';

/** The million of `npm run fuzz` comes at night. */
const PACKETS = 2000;
const ATTACKERS = 8;
/** The attackers share its thread here. */
const MOST_WAIT_MS = 5000;

test('broken packets, two thousand of them, cost the gateway and its other clients nothing', async () => {
  const seed = Number(process.env['PGSCORE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}`);
  const defects: unknown[] = [];
  const { server, port, handler } = await startGatewayToAttack((error) => defects.push(error));
  const bystander = await WireClient.login(port);
  let over = false;
  const attacks = Promise.all(
    Array.from({ length: ATTACKERS }, (_, index) => attack(port, seed + index, PACKETS / ATTACKERS)),
  ).finally(() => {
    over = true;
  });
  let waited = 0;
  while (!over) {
    const began = performance.now();
    const answer = await bystander.ask('score {"version": 1, "role": "alice"}\n{"x": 4.5}');
    expect(rowsOf(answer)).toEqual([['4.5', null, null]]);
    waited = Math.max(waited, performance.now() - began);
  }
  expect(waited).toBeLessThan(MOST_WAIT_MS);
  expect((await attacks).reduce((sum, sent) => sum + sent)).toBeGreaterThanOrEqual(PACKETS);
  bystander.destroy();
  await waitFor(() => server.connections === 0 && handler.calls === 0, {
    message: 'the end of all connections and calls',
  });
  await server.drain();
  expect(defects).toEqual([]);
});
