import { qualified } from '../lib/ident.ts';
import type { Job } from './job.ts';

/** Past every block that a relation can have. */
const END = 4_294_967_295;

/** The COPY that reads a job's rows through its read handle: key columns, event_time and features, in the order of the plan. */
export function sourceQuery(job: Job): string {
  const { run, shard } = job;
  const name = qualified('pgscore_sources', run.handle.name);
  const columns = run.columns.map((_, index) => `c${index + 1}`).join(', ');
  const from = `'(${shard?.from ?? 0},0)'::tid`;
  const to = `'(${shard?.to ?? END},0)'::tid`;
  if (run.handle.kind === 'function')
    return `copy (select ${columns} from ${name}(${from}, ${to})) to stdout (format binary)`;
  return `copy (select ${columns} from ${name} where block >= ${from} and block < ${to}) to stdout (format binary)`;
}
