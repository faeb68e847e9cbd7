/**
 * CPU time that a million rows of bigint + 20 real take on their way through src/copy: `node --import
 * ./test/support/register-typescript.js bench/copy.ts`. Each way runs several times in a process of its own. The cheapest run
 * counts, because other work on the machine only ever adds.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { to } from 'pg-copy-streams';
import { CopyDecoder } from '../src/copy/decode.ts';
import { PredictionEncoder } from '../src/copy/encode.ts';
import { readBatches } from '../src/copy/read.ts';
import type { SourceColumn } from '../src/copy/source-column.ts';
import { CopyWriter } from '../src/copy/write.ts';
import { startDisposable } from '../src/server/start.ts';
import { viewed } from '../src/lib/bytes.ts';
import { copiedBytes } from './tables/copy-limit.ts';
import { FEATURES } from './stage.ts';

const ROWS = 1_000_000;
const ROUNDS = 6;
const CHUNK = 65_536;
const CLASS_LABELS = ['no', 'yes'];
const COPY_OUT = 'copy source to stdout (format binary)';
const COPY_IN =
  'copy target (id, score, label, probability_no, probability_yes, error_code) from stdin (format binary)';
const COLUMNS: readonly SourceColumn[] = [
  { name: 'id', role: 'key' },
  ...FEATURES.map((name) => ({ name, role: 'feature' as const, type: 'float4' as const, width: 1 })),
];

/** Makes what a way is given, before it is timed, and returns the way, which tells how many rows it has handled. */
type Way = { readonly name: string; prepare(client: pg.Client): Promise<() => Promise<number>> };
type Encodable = Parameters<PredictionEncoder['encode']>;
type Batch = { readonly keys: Encodable[0]; readonly predictions: Encodable[1] };

const WAYS: Readonly<Record<string, Way>> = {
  decode: {
    name: 'decode, the bytes at hand',
    prepare: async (client) => {
      const bytes = Buffer.concat(await copiedBytes(client, COPY_OUT));
      const starts = Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, index) => index * CHUNK);
      const chunks = starts.map((at) => bytes.subarray(at, at + CHUNK));
      return () => decode(chunks);
    },
  },
  read: { name: 'read and decode', prepare: async (client) => () => read(client) },
  'read-by-library': {
    name: 'read by pg-copy-streams and decode',
    prepare: async (client) => () => decode(client.query(to(COPY_OUT)) as AsyncIterable<Buffer>, infer),
  },
  encode: {
    name: 'encode',
    prepare: async (client) => {
      const batches = await predictedBatches(client);
      return async () => encode(batches);
    },
  },
  write: {
    name: 'write',
    prepare: async (client) => {
      const tuples = [...encoded(await predictedBatches(client))];
      return () => write(client, tuples);
    },
  },
};

const [url, chosen] = process.argv.slice(2);
if (url === undefined || chosen === undefined) await measureAll();
else console.log(await cheapest(url, WAYS[chosen]));

async function measureAll(): Promise<void> {
  const server = await startDisposable();
  try {
    await makeTables(server.url());
    for (const [key, { name }] of Object.entries(WAYS)) {
      const flags = [...process.execArgv, fileURLToPath(import.meta.url), server.url(), key];
      const seconds = Number((await promisify(execFile)(process.execPath, flags)).stdout);
      const nanoseconds = ((seconds * 1e9) / ROWS / COLUMNS.length).toFixed(1);
      const each = key === 'decode' ? `, ${nanoseconds} ns a value` : '';
      console.log(`${name.padEnd(40)}${seconds.toFixed(3)} CPU-seconds a million rows${each}`);
    }
  } finally {
    await server.stop();
  }
}

/** A source of bigint + 20 real, and a target for the predictions of a binary classifier. */
async function makeTables(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const values = FEATURES.map((name) => `random()::real as ${name}`).join(', ');
  const lines = [
    `create table source as select id::int8, ${values} from generate_series(1, ${ROWS}) id`,
    'vacuum analyze source',
    'create table target (id int8, score float8, label text, probability_no float8, probability_yes float8, error_code text)',
  ];
  for (const line of lines) await client.query(line);
  await client.end();
}

/** CPU-seconds of the cheapest round. */
async function cheapest(connectionString: string, way: Way | undefined): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const work = await way?.prepare(client);
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    const rows = await work?.();
    const { user, system } = process.cpuUsage(before);
    if (rows !== ROWS) throw new Error(`${chosen}: ${rows} rows instead of ${ROWS}`);
    costs.push((user + system) / 1e6);
  }
  await client.end();
  return Math.min(...costs);
}

/** Blocks as inference does, so that the sockets fill meanwhile. */
function infer(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}

async function decode(
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  consume: () => void = () => undefined,
): Promise<number> {
  const decoder = new CopyDecoder(COLUMNS);
  let rows = 0;
  for await (const chunk of chunks) {
    decoder.push(viewed(chunk));
    rows += take(decoder, consume);
  }
  decoder.finish();
  return rows + take(decoder, consume);
}

function take(decoder: CopyDecoder, consume: () => void): number {
  let rows = 0;
  for (let batch = decoder.take(); batch !== undefined; batch = decoder.take()) {
    rows += batch.rows;
    consume();
  }
  return rows;
}

async function read(client: pg.Client): Promise<number> {
  let rows = 0;
  for await (const batch of readBatches(client, COPY_OUT, COLUMNS)) {
    rows += batch.rows;
    infer();
  }
  return rows;
}

async function predictedBatches(client: pg.Client): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const { rows, keys, eventTime } of readBatches(client, COPY_OUT, COLUMNS)) {
    const score = new Float64Array(rows).fill(0.75);
    const label = new Int32Array(rows).fill(1);
    const probabilities = new Float64Array(rows * CLASS_LABELS.length).fill(0.5);
    const predictions = { rows, score, label, probabilities, errors: new Map() };
    batches.push({ keys: { rows, keys, eventTime }, predictions });
  }
  return batches;
}

function* encoded(batches: readonly Batch[]): Generator<Buffer> {
  const valueColumns = CLASS_LABELS.map((label) => `probability_${label}`);
  const encoder = new PredictionEncoder({ constants: null, task: 'binary', classLabels: CLASS_LABELS, valueColumns });
  for (const { keys, predictions } of batches) yield encoder.encode(keys, predictions);
}

/** Keeps nothing of what it encodes, like a scorer. */
function encode(batches: readonly Batch[]): number {
  let bytes = 0;
  for (const { length } of encoded(batches)) bytes += length;
  if (bytes === 0) throw new Error('nothing was encoded');
  return batches.reduce((rows, { keys }) => rows + keys.rows, 0);
}

async function write(client: pg.Client, tuples: readonly Buffer[]): Promise<number> {
  await client.query('truncate target');
  const writer = await CopyWriter.open(client, COPY_IN);
  for (const bytes of tuples) await writer.write(bytes);
  return writer.finish();
}
