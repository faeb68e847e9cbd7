/** One way through src/copy, measured in a process of its own: `node copy-way.mjs URL WAY ROWS` prints CPU-seconds. */
import pg from 'pg';
import { to } from 'pg-copy-streams';
import { CopyDecoder } from '../src/copy/decode.ts';
import { PredictionEncoder } from '../src/copy/encode.ts';
import { readBatches } from '../src/copy/read.ts';
import { CopyWriter } from '../src/copy/write.ts';
import { viewed } from '../src/lib/viewed-bytes.ts';
import { COPY_IN, COPY_OUT, FEATURES } from './copy-tables.mjs';

const [url, way, expectedRows] = process.argv.slice(2);
const ROUNDS = 6;
const CHUNK = 65_536;
const CLASS_LABELS = ['no', 'yes'];
const COLUMNS = [
  { name: 'id', role: 'key' },
  ...FEATURES.map((name) => ({ name, role: 'feature', type: 'float4', width: 1 })),
];

const client = new pg.Client({ connectionString: url });
await client.connect();

/** Blocks as inference does, so that the sockets fill meanwhile. */
function infer() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}

function take(decoder, consume) {
  let rows = 0;
  for (let batch = decoder.take(); batch !== undefined; batch = decoder.take()) {
    rows += batch.rows;
    consume();
  }
  return rows;
}

async function decodeChunks(chunks, consume = () => undefined) {
  const decoder = new CopyDecoder(COLUMNS);
  let rows = 0;
  for await (const chunk of chunks) {
    decoder.push(viewed(chunk));
    rows += take(decoder, consume);
  }
  decoder.finish();
  return rows + take(decoder, consume);
}

async function read() {
  let rows = 0;
  for await (const batch of readBatches(client, COPY_OUT, COLUMNS)) {
    rows += batch.rows;
    infer();
  }
  return rows;
}

async function copiedChunks() {
  const chunks = [];
  for await (const chunk of client.query(to(COPY_OUT))) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const cuts = Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, index) => index * CHUNK);
  return cuts.map((at) => bytes.subarray(at, at + CHUNK));
}

async function predictedBatches() {
  const batches = [];
  for await (const { rows, keys, eventTime } of readBatches(client, COPY_OUT, COLUMNS)) {
    const score = new Float64Array(rows).fill(0.75);
    const label = new Int32Array(rows).fill(1);
    const probabilities = new Float64Array(rows * CLASS_LABELS.length).fill(0.5);
    const predictions = { rows, score, label, probabilities, errors: new Map() };
    batches.push({ keys: { rows, keys, eventTime }, predictions });
  }
  return batches;
}

function* encoded(batches) {
  const probabilityColumns = CLASS_LABELS.map((label) => `probability_${label}`);
  const encoder = new PredictionEncoder({ constants: null, classLabels: CLASS_LABELS, probabilityColumns });
  for (const { keys, predictions } of batches) yield encoder.encode(keys, predictions);
}

/** Keeps nothing of what it encodes, like a scorer. */
function encode(batches) {
  let bytes = 0;
  for (const { length } of encoded(batches)) bytes += length;
  if (bytes === 0) throw new Error('nothing was encoded');
  return batches.reduce((rows, { keys }) => rows + keys.rows, 0);
}

async function write(tuples) {
  await client.query('truncate target');
  const writer = await CopyWriter.open(client, COPY_IN);
  for (const bytes of tuples) await writer.write(bytes);
  return writer.finish();
}

/** For each way: what it is given, made before it is timed, and what it does, which tells its rows. */
const WAYS = {
  decode: { given: copiedChunks, work: (chunks) => decodeChunks(chunks) },
  read: { given: () => undefined, work: read },
  'read-by-library': { given: () => undefined, work: () => decodeChunks(client.query(to(COPY_OUT)), infer) },
  encode: { given: predictedBatches, work: encode },
  write: { given: async () => [...encoded(await predictedBatches())], work: write },
};

const { given, work } = WAYS[way];
const input = await given();
const costs = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const before = process.cpuUsage();
  const rows = await work(input);
  const { user, system } = process.cpuUsage(before);
  if (rows !== Number(expectedRows)) throw new Error(`${way}: ${rows} rows instead of ${expectedRows}`);
  costs.push((user + system) / 1e6);
}
await client.end();
console.log(Math.min(...costs));
