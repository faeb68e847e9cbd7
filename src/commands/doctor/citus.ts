import type pg from 'pg';
import { citusOf, type WorkerState } from '../../citus/nodes.ts';
import { workerStates } from '../../install/roles.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

/** What pgscore needs of Citus; nothing where the database has no such extension. */
export async function checkCitus(client: pg.Client): Promise<Finding[]> {
  const citus = await citusOf(client);
  if (citus === undefined) return [];
  if (!citus.coordinator) {
    return [fail('Citus', `${citus.version}, and this is a worker`, 'Connect to the coordinator.')];
  }
  return [...(await checkInstalled(client)), ...(await checkWorkers(client, citus.version))];
}

/** Functions that were installed before Citus would create objects on other nodes. */
async function checkInstalled(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ before: boolean }>(
    `select count(*) > 0 and count(*) filter (where 'citus.enable_ddl_propagation=off' = any (p.proconfig)) = 0 as before
       from pg_proc p where p.pronamespace = to_regnamespace('pgscore_data')`,
  );
  if (rows[0]?.before !== true) return [];
  return [fail('Citus', 'pgscore was installed before Citus', 'pgscore migrate')];
}

async function checkWorkers(client: pg.Client, version: string): Promise<Finding[]> {
  const workers = await workerStates(client);
  if (workers.length === 0)
    return [warn('Citus', `${version}, without a worker`, "select citus_add_node('host', 5432);")];
  const problems = workers.flatMap(checkWorker);
  return problems.length > 0
    ? problems
    : [ok('Citus', `${version}, coordinator of ${workers.map(({ node }) => node).join(', ')}`)];
}

function checkWorker({ node, missing, prepared }: WorkerState): Finding[] {
  if (missing === undefined) {
    return [fail('Citus', `worker ${node} does not answer`, 'Start it, or take it out with citus_remove_node().')];
  }
  if (missing.length === 0 && prepared) return [];
  const what = missing.length > 0 ? `has no role ${missing.join(', ')}` : 'was added after pgscore was installed';
  return [fail('Citus', `worker ${node} ${what}`, 'pgscore migrate')];
}
