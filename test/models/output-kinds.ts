import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** A real export of make_outputs.py: how it is deployed, and its framework's own answers. */
type OutputCase = {
  readonly options: { readonly class_labels?: string[]; readonly logits?: boolean };
  readonly rows: Record<string, number | string>[];
};

const at = (name: string): Buffer => readFileSync(new URL(`outputs/${name}`, import.meta.url));
const cases = JSON.parse(gunzipSync(at('outputs.json.gz')).toString()) as Record<string, OutputCase>;

export function outputCase(name: string): OutputCase & { readonly bytes: Buffer } {
  const found = cases[name];
  if (found === undefined) throw new Error(`make_outputs.py makes no ${name}`);
  return { ...found, bytes: at(`${name}.onnx`) };
}
