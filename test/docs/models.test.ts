import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { corpus, fits, verdicts, type CorpusModel, type Verdict } from '../models/corpus/corpus.ts';
import { expectCommitted } from '../support/committed.ts';

const PAGE = new URL('../../docs/reference/models.md', import.meta.url);

/** Below each of these headings of the page stands the table of its kinds. */
const PARTS: readonly { heading: string; kinds: readonly string[] }[] = [
  { heading: '## Classes with probabilities', kinds: ['binary', 'multiclass'] },
  { heading: '## A number', kinds: ['regression'] },
  { heading: '## Several targets', kinds: ['multi_target'] },
  { heading: '## Quantiles', kinds: ['quantiles'] },
  { heading: '## Several labels', kinds: ['multilabel'] },
  { heading: '## Decision scores', kinds: ['margins'] },
  { heading: '## Clusters and anomalies', kinds: ['clustering', 'anomaly'] },
  { heading: '## Vectors', kinds: ['embedding'] },
];
const HEAD = '| framework | model | export | computed | |\n|---|---|---|---|---|';

const known = verdicts();

function rowOf(model: CorpusModel): string {
  const verdict = known[model.name];
  if (verdict === undefined) throw new Error(`no verdict on ${model.name}: PGSCORE_TEST_NIGHT=1`);
  const framework = model.framework.replaceAll(/ [\d.+a-z]+(?=,|$)/g, '');
  const cells = [
    framework,
    code(model.estimator),
    code(model.export),
    computed(model, verdict),
    remark(model, verdict),
  ];
  return `| ${cells.join(' | ')} |`;
}

function code(text: string): string {
  return `\`${text.replaceAll('|', String.raw`\|`)}\``;
}

function computed(model: CorpusModel, verdict: Verdict): string {
  if (verdict.execution === 'refused') return `refused: \`${verdict.code}\``;
  return fits(model, verdict) ? verdict.execution : `taken for ${verdict.task}`;
}

function remark({ differs, remark: said }: CorpusModel, verdict: Verdict): string {
  if (differs !== '') return `${differs}; \`expect\` finds it`;
  if (said !== '') return said;
  return verdict.execution === 'online' ? (verdict.notNative ?? '') : '';
}

function renewed(page: string): string {
  return PARTS.reduce((text, { heading, kinds }) => {
    const [before = '', after = ''] = text.split(`${heading}\n`);
    const rows = new Set(corpus.filter(({ kind }) => kinds.includes(kind)).map(rowOf));
    return `${before}${heading}\n${after.replace(/^(?:\|.*\n)+/m, `${HEAD}\n${[...rows].join('\n')}\n`)}`;
  }, page);
}

test('the page on models has a row for each model of the corpus', async () => {
  await expectCommitted('docs/reference/models.md', renewed(await readFile(PAGE, 'utf8')));
});

test('every kind of the corpus has its table', () => {
  const kinds = PARTS.flatMap((part) => part.kinds);
  expect(corpus.map(({ kind }) => kind).filter((kind) => !kinds.includes(kind))).toEqual([]);
});
