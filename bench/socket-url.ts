import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { connect } from '../src/db/connect.ts';

type Place = { readonly folders: string; readonly data: string | null; readonly port: string };

/** Relative folders are the data directory's, which not everybody is told. */
const PLACE = `select current_setting('unix_socket_directories') as folders, current_setting('port') as port,
  (select s.setting from pg_settings s where s.name = 'data_directory') as data`;

/**
 * The address of a database by the socket of its server, as libpq goes on one machine unless told otherwise; as it is where
 * there is none here. TCP takes 7 % of the CPU time of a call. `asking`: who may see the settings.
 */
export async function socketUrl(url: string, asking = url): Promise<string> {
  const place = await placeOf(asking);
  for (const folder of place?.folders.split(',') ?? []) {
    const path = resolve(place?.data ?? '/', folder.trim());
    const there = await stat(`${path}/.s.PGSQL.${place?.port}`).catch(() => undefined);
    if (there?.isSocket() === true) return withHost(url, `${encodeURIComponent(path)}:${place?.port}`);
  }
  return url;
}

async function placeOf(url: string): Promise<Place | undefined> {
  const client = await connect({ url, applicationName: 'pgscore bench' });
  try {
    return (await client.query<Place>(PLACE)).rows[0];
  } finally {
    await client.end();
  }
}

/** URL refuses a % in a host, which is how libpq takes a folder for one. */
function withHost(url: string, host: string): string {
  const { host: before } = new URL(url);
  return url.replace(`@${before}`, `@${host}`);
}
