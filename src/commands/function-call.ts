import type pg from 'pg';

/** An argument of a function in SQL: its name, its type, and the value, where undefined leaves the default. */
export type Argument = readonly [name: string, type: string, value: unknown];

/** `select function(name => value, …)` with the arguments that were given; the one value it returns. */
export async function callFunction(client: pg.ClientBase, name: string, args: readonly Argument[]): Promise<unknown> {
  const given = args.filter(([, , value]) => value !== undefined);
  const list = given.map(([argument, type], index) => `${argument} => $${index + 1}::${type}`).join(', ');
  const text = `select ${name}(${list}) as value`;
  const { rows } = await client.query<{ value: unknown }>(text, given.map(parameter));
  return rows[0]?.value;
}

/** node-pg writes an array as an array of SQL, so JSON has to be text already. */
function parameter([, type, value]: Argument): unknown {
  return type === 'jsonb' ? JSON.stringify(value) : value;
}
