import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
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

/** Lays a cable to a namespace of the network and back; undefined where this user may not. It goes with the test file. */
export async function layCable(toPort: number): Promise<Cable | undefined> {
  const name = `pgs${process.pid}`;
  const net = `198.18.${process.pid % 250}`;
  const [near, far] = [`${net}.1`, `${net}.2`];
  try {
    ip('netns add', name);
  } catch {
    return undefined;
  }
  const forwarding: ChildProcess[] = [];
  const forward = async (command: string, ...words: string[]): Promise<void> => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    forwarding.push(child);
    await once(child.stdout, 'data');
  };
  afterAll(() => {
    for (const child of forwarding) child.kill();
    ip('netns del', name);
  });
  const inside = `-n ${name}`;
  ip(`link add ${name}a type veth peer name ${name}b netns ${name}`);
  ip(`addr add ${near}/24 dev ${name}a`);
  ip(inside, `addr add ${far}/24 dev ${name}b`);
  const plug = (): void => void ip(inside, `link set ${name}b up`);
  ip(`link set ${name}a up`);
  plug();
  // Known for good, or the kernel would soon say that there is no such host.
  const [, address = ''] = /link\/ether (\S+)/.exec(ip(inside, `link show ${name}b`)) ?? [];
  ip(`neigh replace ${far} lladdr ${address} dev ${name}a nud permanent`);
  await Promise.all([
    forward('node', FORWARD, near, String(PORT), '127.0.0.1', String(toPort)),
    forward('ip', 'netns', 'exec', name, 'node', FORWARD, far, String(PORT), near, String(PORT)),
  ]);
  return { host: far, port: PORT, plug, pull: () => void ip(inside, `link set ${name}b down`) };
}
