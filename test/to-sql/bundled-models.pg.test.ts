import { describe, expect, test } from '@jest/globals';
import { inlineExternalData } from '../../src/onnx/external-data.ts';
import { cloneDatabase } from '../support/database.ts';
import { clientAmongTraps } from '../support/operators-in-wait.ts';
import { oneIn } from '../support/night.ts';
import { besideGolden, deployOptions, goldenBytes, goldenModels, goldenRows } from '../support/golden-models.ts';
import { compiled, firstDifference } from './compiled.ts';

const database = await cloneDatabase();
const client = await clientAmongTraps(database);

/** They have a thousand tests, and so a form of their own for few rows. */
const LARGE = ['random_forest', 'catboost', 'bench_trees'];

/** At each commit those that do not go the whole path in test/models/whole-path. */
const asked = oneIn(4, goldenModels.toReversed());

describe('the functions of a compiled model answer as ONNX Runtime does, for its rows and those of the proof', () => {
  test.each(asked.map((model) => [model.name, model] as const))('%s', async (_, model) => {
    const bytes = await inlineExternalData(goldenBytes(model), (name) => besideGolden(model, name));
    const version = await compiled(client, bytes, deployOptions(model.deploy));
    expect(version.hasFew).toBe(LARGE.includes(model.name));
    expect(await firstDifference(version, goldenRows(model))).toBeUndefined();
  });
});

test.each(goldenModels.filter(({ name }) => name === 'bench_logistic').map((model) => [model.name, model] as const))(
  '%s is inlined into the query that calls it',
  async (_, model) => {
    const { scorer, languages, signature } = await compiled(client, goldenBytes(model), deployOptions(model.deploy));
    const columns = signature.features.map((__, index) => `n::double precision * ${index}::double precision`);
    const explain = `explain (verbose) select ${scorer}(${columns.join(', ')}) from generate_series(1, 2) n`;
    const plan = JSON.stringify((await client.query(explain)).rows);
    expect(languages.score).toBe('sql');
    expect(plan).toContain('tanh');
    expect(plan).not.toContain(scorer);
  },
);
