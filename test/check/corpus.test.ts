import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { checkModel } from '../../src/check/check-model.ts';
import { readExpectedRows } from '../../src/commands/deploy.ts';
import { PgscoreError } from '../../src/errors.ts';
import { corpus, corpusBytes, deployOptions, expectedRows, verdicts } from '../models/corpus/corpus.ts';
import { oneIn } from '../support/night.ts';

const known = verdicts();

/** Whether a model passes the check together with its framework's answers; else the code. */
async function verdictOn(model: (typeof corpus)[number]): Promise<string> {
  try {
    await checkModel(corpusBytes(model), { ...deployOptions(model), expect: expectedRows(model) });
    return 'ready';
  } catch (error) {
    if (error instanceof PgscoreError) return error.code;
    throw error;
  }
}

test.each(oneIn(4, corpus).map((model) => [model.name, model] as const))('%s', async (name, model) => {
  const verdict = await verdictOn(model);
  if (model.differs !== '') expect(verdict).toMatch(/^model_/);
  else if (known[name]?.execution === 'refused') expect(verdict).toMatch(/^(model_|ready)/);
  else expect(verdict).toBe('ready');
});

test.each(corpus.filter(({ name }) => name.startsWith('guide_')).map((model) => [model.name, model] as const))(
  'the rows that export() of the guide writes beside a model prove it, without another option: %s',
  async (name, model) => {
    const rows = await readExpectedRows(fileURLToPath(new URL(`../models/corpus/${name}.rows.csv`, import.meta.url)));
    const { expectation } = await checkModel(corpusBytes(model), { expect: rows });
    expect(expectation?.rows).toBe(rows.length);
    const [first = {}] = rows;
    const column = Object.keys(first).findLast((key) => key.startsWith('expected_')) ?? '';
    const wrong = [{ ...first, [column]: `${Number(first[column]) + 1}` }];
    await expect(checkModel(corpusBytes(model), { expect: wrong })).rejects.toMatchObject({
      code: 'model_expectation_failed',
    });
  },
);
