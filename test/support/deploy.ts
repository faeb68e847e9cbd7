import { readFile } from 'node:fs/promises';

import type { Client } from 'pg';

/** Deploys a model file of this repository, by its path from the root, and waits until it is ready. `options` are arguments of pgscore.deploy(). */
export async function deployModel(
  client: Client,
  model: string,
  file: string,
  options: Record<string, unknown> = {},
): Promise<string> {
  const bytes = await readFile(new URL(`../../${file}`, import.meta.url));
  const names = Object.keys(options);
  const extra = names.map((name, index) => `, ${name} => $${index + 3}`).join('');
  const text = `select pgscore.deploy($1, $2${extra}) as version`;
  const values = names.map((name) => (isJson(name) ? JSON.stringify(options[name]) : options[name]));
  const { rows } = await client.query<{ version: string }>(text, [model, bytes, ...values]);
  const version = rows[0]?.version ?? '';
  const wait = `call pgscore.wait_for_version(${client.escapeLiteral(version)}, '60 seconds')`;
  await client.query(wait);
  return version;
}

function isJson(option: string): boolean {
  return option === 'expect' || option === 'null_values';
}
