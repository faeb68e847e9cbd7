import type pg from 'pg';
import { backendOf } from './backend.ts';
import { cpuSecondsOf, cpuSecondsOfFamily, parentOf } from './process-usage.ts';
import { scoreTable } from './run.ts';
import type { ServiceProcess } from './service-process.ts';

/** What one run over a table took. */
export type Throughput = {
  readonly run: string;
  readonly rowsPerSecond: number;
  readonly seconds: number;
  /** CPU time of the scorers during the run, as pgscore.runs has it. */
  readonly scorerCpuSeconds: number;
  /** CPU time of all that took part: the service with its scorers, and every process of the server on this machine. */
  readonly allCpuSeconds: number;
};

export async function measureThroughput(
  client: pg.Client,
  service: ServiceProcess,
  source: string,
  rows: number,
): Promise<Throughput> {
  const postmaster = parentOf((await backendOf(client)) ?? 0) ?? 0;
  const spent = (): number =>
    [service.pid, ...service.scorerPids].reduce(
      (sum, pid) => sum + (cpuSecondsOf(pid) ?? 0),
      cpuSecondsOfFamily(postmaster),
    );
  const before = spent();
  const { run, seconds, scorerCpuSeconds } = await scoreTable(client, source);
  return { run, rowsPerSecond: rows / seconds, seconds, scorerCpuSeconds, allCpuSeconds: spent() - before };
}
