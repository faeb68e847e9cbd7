import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { isFree } from '../../src/server/running.ts';
import { oneIn } from '../support/night.ts';
import { programsUnderTest } from '../support/test-server.ts';
import { waitFor } from '../support/wait-for.ts';

const local = (path: string) => new URL(path, import.meta.url).href;

const PARENT = `
  const { startDisposable } = await import(${JSON.stringify(local('../../src/server/start.ts'))});
  const { port, dataDir } = await startDisposable(${JSON.stringify(programsUnderTest())});
  console.log(JSON.stringify({ port, dataDir }));
  setInterval(() => {}, 60_000);
`;

test.each(oneIn(2, ['SIGINT', 'SIGTERM', 'SIGKILL'] as const))(
  'a parent that dies by %s takes its server along',
  async (signal) => {
    const loader = fileURLToPath(local('../support/register-typescript.js'));
    const args = ['--import', loader, '--input-type=module', '--eval', PARENT];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface(parent.stdout), 'line');
    const { port, dataDir }: { port: number; dataDir: string } = JSON.parse(line);
    expect(await isFree(port)).toBe(false);

    parent.kill(signal);
    await waitFor(() => isFree(port), { message: 'the server to stop' });
    await waitFor(() => !existsSync(dataDir), { message: 'its data directory to go' });
  },
);
