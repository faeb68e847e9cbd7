import type pg from 'pg';
import { ident } from '../../src/lib/text.ts';
import { PAGE_QUERIES } from '../../src/http/page-queries.ts';
import { quantile } from '../figures.ts';

/** How long the rows of a view, or the answer to a question of the page, take to be there, in milliseconds. */
export type ViewCost = { readonly name: string; readonly rows: number; readonly ms: number };

/** Rows that a table of an analyst's tool asks for of a view that has a row for every prediction. */
const MOST_ROWS = 1000;
const ROUNDS = 3;

/** Asks every view for one model and the last 90 days, and all that the page asks about that model; the slowest first. */
export async function measureViews(client: pg.Client, model: string): Promise<ViewCost[]> {
  const { rows: views } = await client.query<{ name: string; columns: string[] }>(VIEWS);
  const costs: ViewCost[] = [];
  for (const { name, columns } of views) costs.push(await typical(client, name, questionTo(name, columns), [model]));
  const { rows: last } = await client.query<{ month: string; day: string }>(LAST_MONTH);
  const given = { model, version: 1, versions: [1], feature: 'f0', ...last[0] };
  for (const [name, { text, parameters }] of Object.entries(PAGE_QUERIES)) {
    const values = parameters.map(([parameter]) => given[parameter as keyof typeof given]);
    costs.push(await typical(client, `page: ${name}`, text, values));
  }
  return costs.toSorted((a, b) => b.ms - a.ms);
}

const VIEWS = `select c.relname::text as name, array_agg(a.attname::text) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
   where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v' group by c.relname order by c.relname`;

const LAST_MONTH = `select date_trunc('month', current_date - 31)::date::text as month, (current_date - 31)::text as day`;

/** One day where a view says of itself to ask for one: it has thousands of rows a day. */
const DAYS: ReadonlyMap<string, number> = new Map([['score_distribution_daily', 1]]);

function questionTo(view: string, columns: readonly string[]): string {
  const days = DAYS.get(view) ?? 90;
  const conditions = [
    columns.includes('model_name') ? 'model_name = $1' : '$1::text is not null',
    ...(columns.includes('window_date') ? [`window_date >= current_date - ${days}`] : []),
    ...(columns.includes('event_time') ? [`event_time >= now() - interval '${days} days'`] : []),
  ];
  const limit = columns.includes('event_time') ? ` limit ${MOST_ROWS}` : '';
  return `select * from pgscore_bi.${ident(view)} where ${conditions.join(' and ')}${limit}`;
}

async function typical(client: pg.Client, name: string, text: string, values: unknown[]): Promise<ViewCost> {
  const times: number[] = [];
  let rows = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    rows = (await client.query({ text, values })).rowCount ?? 0;
    times.push(performance.now() - began);
  }
  return { name, rows, ms: quantile(times, 0.5) };
}
