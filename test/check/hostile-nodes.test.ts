import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { ALLOWED } from '../../src/onnx/extensions.ts';
import { CASES, type Case } from '../models/hostile-nodes/changes.ts';
import type { Answer, Outcome } from '../models/hostile-nodes/try-main.ts';
import { oneIn } from '../support/night.ts';

type Tried = Outcome | { readonly died: string };

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PROGRAM = [
  '--import',
  pathOf('../support/register-typescript.js'),
  pathOf('../models/hostile-nodes/try-main.ts'),
];

/**
 * Tries cases in processes of their own, the next in another where one dies. glibc fills memory that it hands out with `fill`:
 * what an operator never wrote shows.
 */
async function tryAll(numbers: readonly number[], fill: number): Promise<Map<string, Tried>> {
  const tried: Tried[] = [];
  while (tried.length < numbers.length) {
    const asked = numbers.slice(tried.length).join();
    const env = { ...process.env, NODE_OPTIONS: '', MALLOC_PERTURB_: String(fill) };
    const child = spawn(process.execPath, [...PROGRAM, asked], { stdio: ['ignore', 'pipe', 'pipe'], env });
    const [out, words, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    tried.push(
      ...out
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Outcome),
    );
    if (signal !== null) tried.push({ died: String(signal) });
    else if (code !== 0) throw new Error(`the process ended with ${code}: ${words}`);
  }
  return new Map(numbers.map((number, at) => [CASES[number]?.name ?? '', tried[at] ?? { died: 'unknown' }]));
}

const isReady = (tried: Tried | undefined): tried is Extract<Outcome, { alone: unknown }> =>
  tried !== undefined && 'alone' in tried;

const isSound = ({ name }: Case): boolean => !name.includes(',');
const some = new Set(oneIn(10, [...CASES.keys()]));
const asked = [...CASES.keys()].filter((number) => some.has(number) || isSound(CASES[number]!));
const first = await tryAll(asked, 0x55);
const ready = asked.filter((number) => isReady(first.get(CASES[number]!.name)));
const second = await tryAll(ready, 0xaa);

/** Names of cases of whose outcome this is not so. */
function without(holds: (tried: Tried, name: string) => boolean): [string, Tried][] {
  return [...first].filter(([name, tried]) => !holds(tried, name));
}

/** Kernels for one row and for many add up in another order. */
function alike(one: readonly Answer[], other: readonly Answer[]): boolean {
  return one.every((answer, row) => {
    const against = other[row];
    if (against === undefined || 'error' in answer || 'error' in against)
      return JSON.stringify(answer) === JSON.stringify(against);
    const [a, b] = [Number(answer.number), Number(against.number)];
    return Math.abs(a - b) <= 1e-3 * Math.max(1, Math.abs(a));
  });
}

const ROW_ERRORS = ['null_feature', 'mistyped_value', 'out_of_range', 'refused_by_model', 'non_finite_output'];

describe('a node that is as it should be, but for one thing', () => {
  test('is made of every operator of ONNX Runtime that is let in, which runs as it should be', () => {
    const operators = new Set(CASES.map(({ operator }) => operator.op));
    expect([...ALLOWED.keys()].filter((op) => !operators.has(op))).toEqual([]);
    expect(without((tried, name) => name.includes(',') || isReady(tried))).toEqual([]);
  });

  test('is refused with a code, a reason and a remedy, or gives each row a number or the code of an error', () => {
    const isAnswer = (answer: Answer): boolean =>
      'error' in answer ? ROW_ERRORS.includes(answer.error) : Number.isFinite(Number(answer.number));
    const isClear = (tried: Tried): boolean => {
      if ('died' in tried) return true;
      if ('alone' in tried) return tried.alone.every(isAnswer) && tried.together.every(isAnswer);
      return tried.refused.startsWith('model_') && tried.message.length > 10 && tried.remedy;
    };
    expect(without(isClear)).toEqual([]);
  });

  test('may end its process by a division or by giving up, but never by reading where it may not', () => {
    expect(without((tried) => !('died' in tried) || ['SIGFPE', 'SIGABRT'].includes(tried.died))).toEqual([]);
  });

  test('says of a row among others what it says of it alone', () => {
    expect(without((tried) => !isReady(tried) || alike(tried.alone, tried.together))).toEqual([]);
  });

  test('says nothing that stood in memory before', () => {
    expect(ready.length).toBeGreaterThan(asked.length / 4);
    const isTheSame = (tried: Tried, name: string): boolean => {
      const again = second.get(name);
      return (
        !isReady(tried) || (isReady(again) && alike(tried.alone, again.alone) && alike(tried.together, again.together))
      );
    };
    expect(without(isTheSame)).toEqual([]);
  });
});
