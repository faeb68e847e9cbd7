import { Step } from '../postgres/pipeline-statement.ts';
import { qualified } from '../lib/ident.ts';
import type { Job } from '../runs/job.ts';

/** Past every block that a relation can have. */
const END = 4_294_967_295;

/** The COPY that reads a job's rows through its read handle: key columns, event_time and features, in the order of the plan. */
export function sourceQuery(job: Job): string {
  const { handle, columns } = job.run;
  const name = qualified('pgscore_sources', handle.name);
  const list = columns.map((_, index) => `c${index + 1}`).join(', ');
  const { from, to } = range(job);
  // Anybody may overload the name; only a call with the very types is never taken to another function.
  const rows = handle.kind === 'view' ? name : `${name}('${from}'::pg_catalog.tid, '${to}'::pg_catalog.tid)`;
  return `copy (select ${list} from ${rows}) to stdout (format binary)`;
}

/** What comes before the COPY: a view takes the range from the session, as it lets no condition in. */
export function rangeSteps(job: Job): readonly Step[] {
  if (job.run.handle.kind !== 'view') return [];
  const { from, to } = range(job);
  return [new Step({ text: RANGE, values: [from, to] })];
}

const RANGE = `select set_config('pgscore.block_from', $1, false), set_config('pgscore.block_to', $2, false)`;

/** The first row of the first block, and that of the block behind the last. */
function range({ shard }: Job): { from: string; to: string } {
  return { from: `(${shard?.from ?? 0},0)`, to: `(${shard?.to ?? END},0)` };
}
