/**
 * What a million rows of bigint + 20 real cost in CPU time on their way through src/copy: `node --import
 * ./test/support/register-typescript.js bench/copy.mjs`. Each way runs several times in a process of its own; the cheapest run counts, because other work on
 * the machine only ever adds.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { startDisposable } from '../src/embedded/disposable.ts';
import { FEATURES, makeTables } from './copy-tables.mjs';

const ROWS = 1_000_000;
const WAY = fileURLToPath(new URL('./copy-way.mjs', import.meta.url));
const WAYS = [
  ['decode', 'decode, the bytes at hand'],
  ['read', 'read and decode'],
  ['read-by-library', 'read by pg-copy-streams and decode'],
  ['encode', 'encode'],
  ['write', 'write'],
];

async function cpuSeconds(url, way) {
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, WAY, url, way, String(ROWS)]);
  return Number(stdout);
}

const server = await startDisposable();
try {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await makeTables(client, ROWS);
  await client.end();
  for (const [way, name] of WAYS) {
    const seconds = await cpuSeconds(server.url(), way);
    const each = way === 'decode' ? `, ${((seconds * 1e9) / ROWS / (FEATURES.length + 1)).toFixed(1)} ns a value` : '';
    console.log(`${name.padEnd(40)}${seconds.toFixed(3)} CPU-seconds a million rows${each}`);
  }
} finally {
  await server.stop();
}
