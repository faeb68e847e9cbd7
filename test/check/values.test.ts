import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { checkModel, type ProbeOptions } from '../../src/check/check-model.ts';
import { MODEL } from '../../src/onnx/layout.ts';
import { lengthField } from '../../src/onnx/wire.ts';
import { deployOptions } from '../support/golden-models.ts';

/** Real exports with several values a row, of make_values.py, each with the framework's own answers. */
const file = (name: string) => readFileSync(new URL(`../models/values/${name}`, import.meta.url));
const { models } = JSON.parse(file('values.json').toString()) as {
  readonly labels: string[];
  readonly models: readonly { readonly name: string; readonly deploy: Record<string, unknown> }[];
};

function expectedRows(name: string): Record<string, number>[] {
  const [header = '', ...lines] = gunzipSync(file(`${name}.csv.gz`))
    .toString()
    .trim()
    .split('\n');
  const columns = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, at) => [columns[at], Number(cell)])));
}

const check = (name: string, options: ProbeOptions = {}) => checkModel(file(`${name}.onnx`), options);

describe('a model with several values a row', () => {
  test.each(models.map(({ name, deploy }) => [name, deploy] as const))(
    'says what its framework says: %s',
    async (name, deploy) => {
      const rows = expectedRows(name);
      const { signature, expectation, warnings } = await check(name, { ...deployOptions(deploy), expect: rows });
      expect(expectation?.rows).toBe(100);
      expect(signature.valueNames).toHaveLength(name.includes('target') ? 2 : 3);
      expect(warnings).toEqual([]);
    },
  );

  test('names them in its metadata', async () => {
    const property = ['pgscore.targets', '["air_time", "arr_delay"]'].map((text, at) =>
      lengthField(at + 1, Buffer.from(text)),
    );
    // Files of protobuf can be joined: this adds a property.
    const bytes = Buffer.concat([file('linear_targets.onnx'), lengthField(MODEL.metadata, Buffer.concat(property))]);
    const { signature, warnings } = await checkModel(bytes, {});
    expect(signature.valueNames).toEqual(['air_time', 'arr_delay']);
    expect(warnings).toEqual([]);
  });

  test.each(['score', 'pgscore_hash', 'xmin'])('may not call one %s, as a column of every table is', async (name) => {
    await expect(check('linear_targets', { targets: ['width', name] })).rejects.toMatchObject({
      code: 'model_options_wrong',
      message: `every prediction has a column '${name}' already`,
    });
  });

  test('is refused where a row differs from what was expected', async () => {
    const [row = {}, ...rows] = expectedRows('linear_targets');
    const wrong = [...rows, { ...row, expected_arr_delay: 1e6 }];
    await expect(check('linear_targets', { targets: ['air_time', 'arr_delay'], expect: wrong })).rejects.toMatchObject({
      code: 'model_expectation_failed',
    });
  });
});
