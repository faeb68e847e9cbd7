import { readFile } from 'node:fs/promises';

import { transform } from '@swc/core';

/** Lets Node 20 import TypeScript outside of Jest's sandbox, where global setup runs; from 22.18 on Node does it alone. */
export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context);
  const source = await readFile(new URL(url), 'utf8');
  const { code } = await transform(source, {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    module: { type: 'es6' },
  });
  return { format: 'module', source: code, shortCircuit: true };
}
