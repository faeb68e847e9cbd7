import type { JsonRow } from '../model/json-rows.ts';
import type { Signature } from '../model/signature.ts';
import type { NativeProgram } from './compile.ts';
export function proofRows({ critical }: NativeProgram, { features }: Signature): JsonRow[] {
  return Array.from({ length: 500 }, (_, n) => Object.fromEntries(features.map((f, i) => {
    const c = critical.of(i); 
    const v = c.length ? c[n % c.length] : f.type === 'string' ? 'x' : (n * 7919 + i * 31) % 100 / 10;
    return [f.name, f.type === 'bool' ? n % 2 === 0 : f.width > 1 ? Array.from({length: f.width}, (_, k) => (n*k%17)/17) : f.type.startsWith('int') ? Math.round(Number(v)) : v];
  })));
}
