/** A runner: computes models for the gateway, one run after the other, and ends with it. It knows no database. */
import { stat } from 'node:fs/promises';
import { errorParts } from '../errors.ts';
import { endWithParent, listenToParent, tellParent } from '../lib/child-process.ts';
import { sizedInput } from '../inference/arrays.ts';
import { fastestGraph } from '../inference/load-model-session.ts';
import type { Graph } from '../inference/graph.ts';
import type { Signature } from '../inference/signature.ts';
import { TreeGraph } from '../inference/trees/tree-graph.ts';
import { OneAtATime } from '../lib/one-at-a-time.ts';
import type { FromRunner, LoadGraph, RunGraph, ToRunner } from './runner.ts';

const THREADS = 1;

// A model that computes blocks this thread, and 'disconnect' would not be heard.
endWithParent(Number(process.argv[2]));

const graphs = new Map<number, { readonly graph: Graph; readonly signature: Signature }>();
const thread = new OneAtATime();

async function load({ id, versionId, path, signature }: LoadGraph): Promise<FromRunner> {
  const before = process.memoryUsage.rss();
  try {
    const { size } = await stat(path);
    const graph = await fastestGraph(path, signature, THREADS);
    const walked = graph instanceof TreeGraph;
    if (!walked) graphs.set(versionId, { graph, signature });
    return { id, loaded: { walked, bytes: Math.max(process.memoryUsage.rss() - before, size) } };
  } catch (error) {
    return { id, failed: errorParts(error) };
  }
}

async function run({ id, versionId, feeds, rows, outputs }: RunGraph): Promise<FromRunner> {
  try {
    const { graph, signature } = loadedGraph(versionId);
    const inputs = signature.inputs.map((declared) => {
      const data = feeds[declared.name] ?? [];
      return { input: declared.width === 0 ? sizedInput(declared, data.length / rows) : declared, data };
    });
    return { id, outputs: await graph.run(inputs, rows, outputs) };
  } catch (error) {
    return { id, refused: error instanceof Error ? error.message : String(error) };
  }
}

function loadedGraph(versionId: number): { readonly graph: Graph; readonly signature: Signature } {
  const found = graphs.get(versionId);
  if (found === undefined) throw new Error(`version ${versionId} is not loaded`);
  return found;
}

async function release(versionId: number): Promise<void> {
  const found = graphs.get(versionId);
  graphs.delete(versionId);
  await found?.graph.release();
}

async function obey(message: ToRunner): Promise<void> {
  if (message.type === 'release') return release(message.versionId);
  tellParent(message.type === 'load' ? await load(message) : await run(message));
}

listenToParent((message: ToRunner) => void thread.run(() => obey(message)));
