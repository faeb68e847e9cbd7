import { readFile } from 'node:fs/promises';

import type { Client } from 'pg';

/** Deploys a model file of this repository, by its path from the root, and waits until it is ready. */
export async function deployModel(
  client: Client,
  model: string,
  file: string,
  options: Record<string, unknown> = {},
): Promise<string> {
  return deployBytes(client, model, await readFile(new URL(`../../${file}`, import.meta.url)), options);
}

/** Deploys a model and waits until it is ready; `options` are arguments of pgscore.deploy(). Raises why it was rejected. */
export async function deployBytes(
  client: Client,
  model: string,
  bytes: Uint8Array,
  options: Record<string, unknown> = {},
): Promise<string> {
  const version = await submitDeploy(client, model, bytes, options);
  const wait = `call pgscore.wait_for_version(${client.escapeLiteral(version)}, '60 seconds')`;
  await client.query(wait);
  return version;
}

/** Deploys a model and returns its version, which is being checked. */
export async function submitDeploy(
  client: Client,
  model: string,
  bytes: Uint8Array,
  options: Record<string, unknown> = {},
): Promise<string> {
  const names = Object.keys(options);
  const extra = names.map((name, index) => `, ${name} => $${index + 3}`).join('');
  const text = `select pgscore.deploy($1, $2${extra}) as version`;
  const values = names.map((name) => (isJson(name) ? JSON.stringify(options[name]) : options[name]));
  const { rows } = await client.query<{ version: string }>(text, [model, Buffer.from(bytes), ...values]);
  return rows[0]?.version ?? '';
}

function isJson(option: string): boolean {
  return option === 'expect' || option === 'null_values';
}
