import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Flags } from '../src/config.ts';

const MAIN = new URL('service-main.mjs', import.meta.url);

/** A running `pgscore serve`, with the settings that it has unless told otherwise. */
export type ServiceProcess = {
  readonly pid: number;
  readonly scorerPids: readonly number[];
  stop(): Promise<void>;
};

export async function startServiceProcess(flags: Flags): Promise<ServiceProcess> {
  const child = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
  const exited = once(child, 'exit');
  child.send(flags);
  const started = once(child, 'message') as Promise<[{ scorerPids: number[] }]>;
  const [{ scorerPids }] = await Promise.race([started, exited.then(refused)]);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await exited;
  };
  return { pid: child.pid ?? 0, scorerPids, stop };
}

function refused(): never {
  throw new Error('the service did not start; its log says why');
}
