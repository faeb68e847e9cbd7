import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { connect } from '../../src/postgres/connect.ts';
import type { ScorePlan } from '../plan.ts';
import { FEATURES, makeSource } from '../stage.ts';
import { measureCallRate, type CallRate } from './calls.ts';
import { microsOf } from './rows.ts';

const SCRIPT = new URL('../rivals/plpython.sql', import.meta.url);
const SCHEMA = 'plpython_rival';
const ROW = `array[${FEATURES.map((feature) => `t.${feature}`).join(', ')}]`;
const SCORE = scoreBy('trees');

/** The models of the rival, as ONNX files. */
export type Models = { readonly trees: Uint8Array; readonly logistic: Uint8Array };

const DROP = `drop schema if exists ${SCHEMA} cascade`;

/** A server whose own processes run the model. */
export type Plpython = {
  readonly version: string;
  /** Calls of the trees; microseconds a row of these and of the logistic model. */
  measure(): Promise<{ readonly rate: CallRate; readonly micros: number; readonly logisticMicros: number }>;
  end(): Promise<void>;
};

type Found =
  | { readonly found: Plpython; readonly missing: null }
  | { readonly found: undefined; readonly missing: string };

/** Makes the rival in the database of a URL, where its server has PL/Python and that has ONNX Runtime. */
export async function findPlpython(url: string, models: Models, plan: ScorePlan): Promise<Found> {
  const client = await connect({ url, applicationName: 'pgscore bench', settings: { search_path: SCHEMA } });
  const missing = await prepare(client, models, plan);
  const end = async (): Promise<void> => {
    await client.query(DROP);
    await client.end();
  };
  if (missing !== undefined) {
    await end();
    return { found: undefined, missing };
  }
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  const measure: Plpython['measure'] = async () => ({
    rate: await measureCallRate(
      url,
      { settings: {}, call: `select ${SCORE} from ${SCHEMA}.rival t where t.id = $1` },
      plan,
    ),
    micros: await microsOf(client, { table: 'rival', expression: SCORE }, plan.slowRows),
    logisticMicros: await microsOf(client, { table: 'rival', expression: scoreBy('logistic') }, plan.slowRows),
  });
  return { found: { version: rows[0]?.server_version ?? '', measure, end }, missing: null };
}

/** Why the rival cannot run there; undefined where it stands ready. */
async function prepare(client: pg.Client, models: Models, { tableRows }: ScorePlan): Promise<string | undefined> {
  const { rowCount } = await client.query(`select from pg_available_extensions where name = 'plpython3u'`);
  if (rowCount === 0) return 'no plpython3u';
  try {
    await client.query(DROP);
    await client.query(await readFile(SCRIPT, 'utf8'));
    for (const [name, bytes] of Object.entries(models))
      await client.query('insert into model (name, bytes) values ($1, $2)', [name, Buffer.from(bytes)]);
    await makeSource(client, 'rival', tableRows);
    const probe = `select ${SCORE} from rival t limit 1`;
    await client.query(probe);
    await client.query('set max_parallel_workers_per_gather = 0');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function scoreBy(model: keyof Models): string {
  return `${SCHEMA}.score('${model}', ${ROW})`;
}
