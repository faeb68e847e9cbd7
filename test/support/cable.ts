import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll } from '@jest/globals';

/** A way to a port of this machine over a cable: what is sent while it is pulled is lost, and nobody is told. */
export type Cable = {
  readonly host: string;
  readonly port: number;
  pull(): void;
  plug(): void;
};

const FORWARD = fileURLToPath(new URL('forward.mjs', import.meta.url));
const PORT = 7001;

const ip = (...words: string[]): string => execFileSync('ip', words.join(' ').split(' '), { stdio: 'pipe' }).toString();

/**
 * Lays a cable to a namespace of the network, from where a Unix socket leads back; undefined where this user may not. It
 * goes with the test file. The near end has no address of its own: a browser drops its requests when an address comes.
 */
export async function layCable(toPort: number): Promise<Cable | undefined> {
  const name = `pgs${process.pid}`;
  const far = `198.18.${process.pid % 250}.2`;
  const [, near] = /\bsrc (\S+)/.exec(routeTo(far)) ?? [];
  if (near === undefined) return undefined;
  try {
    ip('netns add', name);
  } catch {
    return undefined;
  }
  const back = join(tmpdir(), `${name}.sock`);
  const forwarding: ChildProcess[] = [];
  const forward = async (command: string, ...words: string[]): Promise<void> => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    forwarding.push(child);
    await once(child.stdout, 'data');
  };
  afterAll(() => {
    for (const child of forwarding) child.kill();
    ip('netns del', name);
    rmSync(back, { force: true });
  });
  const inside = `-n ${name}`;
  ip(`link add ${name}a type veth peer name ${name}b netns ${name}`);
  ip(`link set ${name}a up addrgenmode none`);
  ip(`route add ${far}/32 dev ${name}a`);
  ip(inside, `addr add ${far}/32 dev ${name}b`);
  const plug = (): void => {
    ip(inside, `link set ${name}b up`);
    // It goes with the link.
    ip(inside, `route replace ${near}/32 dev ${name}b`);
  };
  plug();
  // Known for good, or the kernel would soon say that there is no such host.
  const [, address = ''] = /link\/ether (\S+)/.exec(ip(inside, `link show ${name}b`)) ?? [];
  ip(`neigh replace ${far} lladdr ${address} dev ${name}a nud permanent`);
  await forward('node', FORWARD, back, `127.0.0.1:${toPort}`);
  await forward('ip', 'netns', 'exec', name, 'node', FORWARD, `${far}:${PORT}`, back);
  return { host: far, port: PORT, plug, pull: () => void ip(inside, `link set ${name}b down`) };
}

function routeTo(address: string): string {
  try {
    return ip('route get', address);
  } catch {
    return '';
  }
}
