import { availableParallelism, cpus, release, totalmem, type as system } from 'node:os';

/** What the numbers were measured on. */
export type Machine = {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly postgresql: string;
};

export function describeMachine(postgresql: string): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${system()} ${release()}`,
    node: process.versions.node,
    postgresql,
  };
}

/** A machine in a file name: `2-core-amd-epyc`. */
export function machineKind({ cores, cpu }: Machine): string {
  return `${cores}-core-${cpu}`
    .toLowerCase()
    .replaceAll(/\(.*?\)/g, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}
