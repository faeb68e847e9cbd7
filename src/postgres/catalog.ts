import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { Compilable } from 'kysely';
import type { Catalog } from './schema.ts';
import type { Queryable } from './statement.ts';

/** Writes queries on the views of schema pgscore, checked by their types; `rowsOf` runs them. */
export const catalog = new Kysely<Catalog>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** The rows of a query written with `catalog`. */
export async function rowsOf<Row>(client: Queryable, query: Compilable<Row>): Promise<Row[]> {
  const { sql, parameters } = query.compile();
  const result = await client.query<Row & { [column: string]: unknown }>(sql, [...parameters]);
  return result.rows;
}
