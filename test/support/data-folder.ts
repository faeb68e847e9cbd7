import { statfs } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';

const IN_MEMORY = '/dev/shm';
/** For the databases of all workers, their logs, and the servers that fault tests start. */
const ROOM = 4 * 2 ** 30;

/** Where test servers keep their data: in memory where there is room, as each test file copies a database and drops it again. */
export async function dataFolder(): Promise<string> {
  const room = await statfs(IN_MEMORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  return Math.min(room, freemem() / 2) > ROOM ? IN_MEMORY : tmpdir();
}
