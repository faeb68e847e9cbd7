import type pg from 'pg';
import { residentBytes } from './process-usage.ts';
import { scoreTable } from './run.ts';
import type { ServiceProcess } from './service-process.ts';

const SAMPLE_MS = 50;
const MEBIBYTE = 2 ** 20;

/** The most resident memory that any scorer had during a run, in MiB, sampled. */
export async function peakScorerMemory(client: pg.Client, service: ServiceProcess, source: string): Promise<number> {
  let peak = 0;
  const sampler = setInterval(() => {
    peak = Math.max(peak, ...service.scorerPids.map(residentBytes));
  }, SAMPLE_MS);
  try {
    await scoreTable(client, source);
  } finally {
    clearInterval(sampler);
  }
  return peak / MEBIBYTE;
}
