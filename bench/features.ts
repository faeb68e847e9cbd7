/**
 * CPU time of one process to count 20 features into bins, beside that of 100 trees to score them: `node --import
 * ./test/support/register-typescript.js bench/features.ts`. The cheapest of five times counts, because other work on the
 * machine only ever adds.
 */
import { readFile } from 'node:fs/promises';
import { Float32, makeData, type Data, type RecordBatch } from 'apache-arrow';
import { recordBatch } from '../src/inference/record-batch.ts';
import { loadModelSession } from '../src/inference/load-model-session.ts';
import type { FeatureBins } from '../src/monitor/feature-bins.ts';
import { FeatureTally } from '../src/monitor/feature-tally.ts';
import { NumberBins } from '../src/monitor/value-bins.ts';
import { checkModel } from '../src/check/check-model.ts';

const ROWS = 16_384;
const BATCHES = 4;
const PASSES = 6;
const TIMES = 5;

type Draw = () => number;

const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const SHAPES: Readonly<Record<string, Draw>> = { normal, uniform: Math.random, skewed: () => Math.exp(2 * normal()) };

const bytes = await readFile(new URL('trees.onnx', import.meta.url));
const { signature, served } = await checkModel(bytes, {});
const session = await loadModelSession(served ?? bytes, signature);
const names = signature.features.map(({ name }) => name);

function column(draw: Draw): Data<Float32> {
  const data = Float32Array.from({ length: ROWS }, draw);
  return makeData({ type: new Float32(), length: ROWS, data, nullCount: 0, nullBitmap: null });
}

function binsOf(draw: Draw): FeatureBins {
  const sample = Float64Array.from({ length: 10_000 }, draw).sort();
  const edges = Array.from({ length: 99 }, (_, cut) => sample[100 * (cut + 1)] ?? 0);
  const features = names.map((name, at) => ({
    feature: at + 1,
    name,
    bins: new NumberBins(sample[0] ?? 0, sample.at(-1) ?? 0, edges),
  }));
  return { setId: 1, features };
}

/** Nanoseconds of CPU time a row. */
async function cost(batches: readonly RecordBatch[], work: (batch: RecordBatch) => unknown): Promise<number> {
  let least = Infinity;
  for (let time = 0; time < TIMES; time += 1) {
    const began = process.cpuUsage();
    for (let pass = 0; pass < PASSES; pass += 1) for (const batch of batches) await work(batch);
    const { user, system } = process.cpuUsage(began);
    least = Math.min(least, ((user + system) * 1000) / (PASSES * batches.length * ROWS));
  }
  return Math.round(least);
}

for (const [shape, draw] of Object.entries(SHAPES)) {
  const batches = Array.from({ length: BATCHES }, () =>
    recordBatch(
      names,
      names.map(() => column(draw)),
      ROWS,
    ),
  );
  const days = Array.from({ length: ROWS }, (_, row) => 86_400 * Math.floor((30 * row) / ROWS));
  const tally = new FeatureTally(binsOf(draw));
  const scoring = await cost(batches, (batch) => session.predict(batch));
  const counting = await cost(batches, (batch) => tally.add(batch, days));
  console.log(`${shape}: ${scoring} ns to score a row, ${counting} ns to count its ${names.length} features`);
}
await session.release();
