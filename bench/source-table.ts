import type pg from 'pg';
import { ident } from '../src/lib/ident.ts';

/** Features of the models in bench/: f0 to f19. */
export const FEATURES: readonly string[] = Array.from({ length: 20 }, (_, index) => `f${index}`);

/**
 * Makes a table of `rows` rows, a bigint key and 20 real columns, the same at every run. The features lie between -6 and
 * 6, as those did that the trees were trained on.
 */
export async function makeSource(client: pg.Client, name: string, rows: number): Promise<void> {
  const features = FEATURES.map((feature) => `(random() * 4 + random() * 4 + random() * 4 - 6)::real as ${feature}`);
  const create = `create table ${ident(name)} as select i as id, ${features.join(', ')} from generate_series(1::bigint, ${rows}) i`;
  const key = `alter table ${ident(name)} add primary key (id)`;
  const vacuum = `vacuum (analyze) ${ident(name)}`;
  await client.query('select setseed(0.5)');
  for (const line of [create, key, vacuum]) await client.query(line);
}
