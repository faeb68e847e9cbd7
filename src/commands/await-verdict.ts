import { catalog, rowsOf, type ModelRow } from '../postgres/catalog.ts';
import type { Queryable } from '../postgres/statement.ts';
import { codeOr, PgscoreError } from '../errors.ts';
import { pause } from '../lib/retry.ts';
import { type Output, spin } from './output.ts';
import { ServiceWatch } from './service-watch.ts';

const POLL_MS = 50;
const TIMEOUT_MS = 600_000;

/**
 * Waits until the service has checked a version, such as churn@1.
 *
 * @throws PgscoreError the reason and the remedy where it was rejected; `no_service`; `still_waiting` after ten minutes
 */
export async function awaitVerdict(client: Queryable, version: string, output: Output): Promise<void> {
  const services = new ServiceWatch(output);
  const giveUp = performance.now() + TIMEOUT_MS;
  const stop = spin(output, `Checking ${version}`);
  try {
    for (;;) {
      const found = await readVersion(client, version);
      if (found.state === 'ready') return;
      if (found.state === 'rejected') throw rejected(version, found);
      if (performance.now() > giveUp) throw stillWaiting(version);
      await services.expectService(client, version);
      await pause(POLL_MS);
    }
  } finally {
    stop();
  }
}

async function readVersion(client: Queryable, version: string): Promise<ModelRow> {
  const [model = '', number] = version.split('@');
  const query = catalog.selectFrom('pgscore.models').selectAll().where('model', '=', model);
  const [found] = await rowsOf(client, query.where('version', '=', Number(number)));
  if (found !== undefined) return found;
  throw new PgscoreError('version_missing', `version ${version} was dropped while it was being checked`);
}

function rejected(version: string, { reason, reason_code: code, remedy }: ModelRow): PgscoreError {
  return new PgscoreError(
    codeOr('model_rejected', code),
    `${version} was rejected: ${reason}`,
    remedy === null ? {} : { remedy },
  );
}

function stillWaiting(version: string): PgscoreError {
  return new PgscoreError('still_waiting', `${version} is still being checked`, {
    remedy: `Look at the log of the service; pgscore models ${version} shows the verdict when there is one.`,
  });
}
