/**
 * Attacks a gateway in a process of its own with a million broken packets: `npm run fuzz -- [packets] [seed]`.
 * Fails where it dies, calls anything a defect, goes on growing, or keeps another client waiting.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { rowsOf, WireClient } from '../wire-client.ts';
import { attack } from './attack.ts';

type Report = { port: number; rss: number; connections: number; calls: number; defects: string[] };

const ATTACKERS = 16;
const ROUNDS = 20;
/** What it grows by in the first quarter, to its size at work, is taken for its start. */
const MOST_GROWTH = 0.2;
/** A round of sixteen attackers takes the thread for tens of milliseconds at a time, a busy machine for more. */
const MOST_WAIT_MS = { median: 50, ninetyNinth: 500, most: 2000 };

const packets = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`seed ${seed}, ${packets} packets`);

const child = fork(fileURLToPath(new URL('victim.ts', import.meta.url)), {
  execArgv: [...process.execArgv, '--expose-gc'],
});
child.once('exit', (code, signal) => {
  console.error(`the gateway died: ${signal ?? code}`);
  process.exit(1);
});
const { port } = await report(child);
const bystander = await WireClient.login(port);
const waits: number[] = [];
const memory: number[] = [];
let sent = 0;
for (let round = 0; round < ROUNDS; round += 1) {
  sent += await attackTogether(round);
  const { rss } = await report(child);
  memory.push(rss);
  console.log(`${sent} packets, ${Math.round(rss / 2 ** 20)} MiB`);
}
bystander.destroy();

const last = await settled();
waits.sort((a, b) => a - b);
const start = Math.max(...memory.slice(0, ROUNDS / 4));
const growth = Math.max(...memory.slice(-ROUNDS / 4)) / start - 1;
const waited = { median: at(0.5), ninetyNinth: at(0.99), most: at(1) };
console.log(
  `bystander: ${waits.length} calls, median ${waited.median.toFixed(1)} ms, 99th percentile ${waited.ninetyNinth.toFixed(1)} ms, most ${waited.most.toFixed(1)} ms`,
);
console.log(
  `memory grew by ${Math.round(growth * 100)} % after the first quarter; left: ${last.connections} connections, ${last.calls} calls`,
);
const kept = (Object.keys(MOST_WAIT_MS) as (keyof typeof MOST_WAIT_MS)[]).every(
  (share) => waited[share] <= MOST_WAIT_MS[share],
);
const failed = last.defects.length > 0 || growth > MOST_GROWTH || !kept || last.connections > 0 || last.calls > 0;
for (const defect of last.defects) console.error(defect);
console.log(failed ? 'failed' : 'passed');
process.exit(failed ? 1 : 0);

async function attackTogether(round: number): Promise<number> {
  let over = false;
  const share = Math.ceil(packets / ROUNDS / ATTACKERS);
  const attacks = Promise.all(
    Array.from({ length: ATTACKERS }, (_, index) => attack(port, seed + round * ATTACKERS + index, share)),
  ).finally(() => {
    over = true;
  });
  while (!over) {
    const began = performance.now();
    const rows = rowsOf(await bystander.ask('score {"version": 1, "role": "alice"}\n{"x": 4.5}'));
    waits.push(performance.now() - began);
    if (rows[0]?.[0] !== '4.5') throw new Error(`the bystander was answered ${JSON.stringify(rows)}`);
  }
  return (await attacks).reduce((sum, count) => sum + count);
}

async function report(of: ChildProcess): Promise<Report> {
  const answer = once(of, 'message');
  of.send('report');
  return (await answer)[0] as Report;
}

async function settled(): Promise<Report> {
  for (let tries = 0; ; tries += 1) {
    const now = await report(child);
    if ((now.connections === 0 && now.calls === 0) || tries > 500) return now;
  }
}

/** Infinity where nothing was asked. */
function at(share: number): number {
  return waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? Infinity;
}
