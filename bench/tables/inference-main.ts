import { join } from 'node:path';
import { readBatches } from '../../src/copy/read.ts';
import type { SourceColumn } from '../../src/copy/source-column.ts';
import { connect } from '../../src/postgres/connect.ts';
import { fastestGraph } from '../../src/inference/load-model-session.ts';
import { buildFeeds, type Feeds, TextCache } from '../../src/inference/feeds.ts';
import { GraphSession } from '../../src/inference/graph-session.ts';
import type { Graph } from '../../src/inference/graph.ts';
import { neededOutputs } from '../../src/inference/outputs.ts';
import { saveVersion } from '../../src/models/load-version.ts';
import { inModelFolder } from '../../src/onnx/model-folder.ts';

/** Which rows to score with which version, and how to read them. */
export type InferenceJob = {
  readonly url: string;
  readonly versionId: number;
  readonly copySql: string;
  readonly columns: readonly SourceColumn[];
};

/** CPU-seconds that the model takes over the rows of a job. */
export type InferenceCost = {
  readonly onnxRuntime: number;
  /** As pgscore computes it: by walking the trees, which this model is made of. */
  readonly pgscore: number;
};

/** Runs the model, on one thread, over batches that were read and laid out before: whatever else scoring takes is left out. */
async function prepare({ url, versionId, copySql, columns }: InferenceJob): Promise<() => Promise<InferenceCost>> {
  const client = await connect({ url, applicationName: 'pgscore bench' });
  const { signature, onnxRuntime, fastest } = await inModelFolder(async (folder) => {
    const model = await saveVersion(client, versionId, join(folder, 'model.onnx'));
    const alone = await GraphSession.load(model.path, 1);
    return { ...model, onnxRuntime: alone, fastest: await fastestGraph(model.path, model.signature, 1) };
  });
  const outputs = neededOutputs(signature);
  const texts = new TextCache();
  const batches: Feeds[] = [];
  for await (const { batch } of readBatches(client, copySql, columns))
    batches.push(buildFeeds(batch, signature, texts));
  await client.end();
  const cost = async (graph: Graph): Promise<number> => {
    const before = process.cpuUsage();
    for (const { rows, feeds } of batches) await graph.run(feeds, rows, outputs);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  return async () => ({ onnxRuntime: await cost(onnxRuntime), pgscore: await cost(fastest) });
}

async function serve(job: InferenceJob): Promise<void> {
  const run = await prepare(job);
  const measure = async (): Promise<void> => void process.send?.(await run());
  process.on('message', () => void measure());
  process.send?.('ready');
}

process.once('message', (job: InferenceJob) => void serve(job));
process.on('disconnect', () => process.exit(0));
