import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { CheckedModel } from '../../src/check/check-model.ts';
import type { ModelFile } from '../../src/onnx/model-folder.ts';
import { goldenBytes, goldenModel, goldenRows } from '../support/golden-models.ts';
import { probeBytes } from '../support/model-file.ts';
import { integers, node, onnxModel } from '../support/onnx-builder.ts';
import { cpuSeconds } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const golden = goldenModel('logistic_pipeline');

/** Multiplies square matrices for minutes, or needs memory for them, before it looks at its input. */
function greedy(size: number, products: number): Uint8Array {
  const steps = Array.from({ length: products }, (_, step) => node('MatMul', [`m${step}`, 'm0'], [`m${step + 1}`]));
  const last = node('ReduceMax', [`m${products}`], ['max'], { keepdims: 0 });
  const [shape, axis] = [integers('shape', [2], [size, size]), integers('axis', [1], [1])];
  return onnxModel({
    nodes: [
      // Not constant, so that no one folds it.
      node('ReduceMax', ['X'], ['x'], { keepdims: 0 }),
      node('Expand', ['x', 'shape'], ['m0']),
      ...steps,
      last,
      node('ReduceSum', ['X', 'axis'], ['sum'], { keepdims: 1 }),
      node('Add', ['sum', 'max'], ['y']),
    ],
    tensors: [shape, axis],
  });
}

const features = ['a', 'b', 'c'];
const slow = greedy(2500, 1000);

/** Processes whose working directory a probe made, and whose parent is `parent`. */
function probesOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        return readlinkSync(`/proc/${pid}/cwd`).includes('pgscore-model-') && status.includes(`PPid:\t${parent}\n`);
      } catch {
        return false;
      }
    });
}

// By process: other test files have services that check models at the same time.
const probeDirectories = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`pgscore-model-${process.pid}-`));
const before = new Set(probeDirectories());

afterAll(() => {
  expect(probeDirectories().filter((name) => !before.has(name))).toEqual([]);
});

describe('the probe', () => {
  test('hands back what it found, and writes the graph to serve', async () => {
    const report = await probeBytes(goldenBytes(golden), { positiveClass: 'late', expect: goldenRows(golden) });
    expect(report.signature).toMatchObject({ task: 'binary', positiveClass: 'late', batch: null });
    expect(report.expectation?.rows).toBe(200);
    expect(report.served?.size).toBeGreaterThan(1000);
  });

  test('hands back why a model is refused', async () => {
    await expect(probeBytes(Buffer.from('{"learner": {}}'))).rejects.toMatchObject({
      name: 'PgscoreError',
      code: 'model_unreadable',
      remedy: expect.stringContaining('onnxmltools'),
    });
  });

  test('scores rows that it is given for what it checked', async () => {
    const rows = goldenRows(golden).slice(0, 3);
    const checked: CheckedModel<ModelFile>[] = [];
    const options = { positiveClass: 'late' };
    const { signature, served, reference } = await probeBytes(goldenBytes(golden), options, {}, (found) => {
      checked.push(found);
      return Promise.resolve(rows);
    });
    expect(checked).toEqual([{ signature, served }]);
    expect(reference).toMatchObject({ rows: [0, 1, 2], silent: [], label: expect.any(Array) });
    expect(reference?.score).toEqual(rows.map(({ expected_score }) => expect.closeTo(Number(expected_score), 6)));
  });

  test('refuses what is wrong without waiting for such rows', async () => {
    const [first = {}] = goldenRows(golden);
    const options = { positiveClass: 'late', expect: [{ ...first, expected_score: '0.9' }] };
    const never = () => new Promise<null>(() => undefined);
    await expect(probeBytes(goldenBytes(golden), options, {}, never)).rejects.toMatchObject({
      code: 'model_expectation_failed',
    });
  });

  test('runs several at a time', async () => {
    const reports = await Promise.all([1, 2, 3].map(() => probeBytes(goldenBytes(golden))));
    expect(reports).toHaveLength(3);
  });
});

describe('a probe that does not end', () => {
  test('but only waits for the processor is no slow model', async () => {
    const outcome = probeBytes(goldenBytes(golden), {}, { timeMs: 1500 });
    const pid = await waitFor(() => probesOf(process.pid)[0]);
    process.kill(pid, 'SIGSTOP');
    const stopped = performance.now();
    await waitFor(() => performance.now() - stopped > 2500);
    process.kill(pid, 'SIGCONT');
    expect(await outcome).toHaveProperty('signature');
  });

  test('is killed when the check is broken off, without a verdict', async () => {
    const service = new AbortController();
    const outcome = probeBytes(slow, { features }, { signal: service.signal });
    await waitFor(() => probesOf(process.pid)[0]);
    service.abort();
    await expect(outcome).rejects.toThrow('the check was broken off');
    expect(probesOf(process.pid)).toEqual([]);
  });

  test('is killed past its time', async () => {
    const started = performance.now();
    await expect(probeBytes(slow, { features }, { timeMs: 1500 })).rejects.toMatchObject({
      code: 'model_check_timeout',
      message: expect.stringContaining('1.5 s'),
    });
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(probesOf(process.pid)).toEqual([]);
  });

  test('is killed past its memory', async () => {
    const limits = { memoryBytes: 400 * 1024 ** 2 };
    await expect(probeBytes(greedy(12_000, 3), { features }, limits)).rejects.toMatchObject({
      code: 'model_check_memory',
      message: expect.stringContaining('400 MiB'),
    });
    expect(probesOf(process.pid)).toEqual([]);
  });

  test('sits in an empty directory without an environment, and its death is told', async () => {
    const outcome = probeBytes(slow, { features }).catch((error: unknown) => error);
    const pid = await waitFor(() => probesOf(process.pid)[0]);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)).toEqual(['PATH=/usr/bin:/bin']);
    expect(readdirSync(`/proc/${pid}/cwd`)).toEqual([]);
    process.kill(pid, 'SIGSEGV');
    expect(await outcome).toMatchObject({ code: 'model_check_crashed', message: expect.stringContaining('SIGSEGV') });
  });

  test('ends with its parent', async () => {
    const script = `
      const { probeBytes } = await import(${JSON.stringify(at('../support/model-file.ts'))});
      const chunks = [];
      for await (const chunk of process.stdin) chunks.push(chunk);
      await probeBytes(Buffer.concat(chunks), { features: ['a', 'b', 'c'] });`;
    const typescript = ['--import', at('../support/register-typescript.js')];
    const parent = spawn(process.execPath, [...typescript, '--input-type=module', '-e', script], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    parent.stdin.end(slow);
    const probe = await waitFor(() => probesOf(parent.pid!)[0]);
    const directory = dirname(readlinkSync(`/proc/${probe}/cwd`));
    // Busy inside of ONNX Runtime, where no event reaches it.
    await waitFor(() => cpuSeconds(probe) > 1, { timeout: 30_000 });
    parent.kill('SIGKILL');
    await once(parent, 'close');
    await waitFor(() => !isAlive(probe), { message: 'the end of the orphaned probe' });
    before.add(directory.slice(directory.lastIndexOf('/') + 1));
  });
});

function at(path: string): string {
  return new URL(path, import.meta.url).href;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
