import { describe, expect, test } from '@jest/globals';

import { ident } from '../../src/lib/ident.ts';
import { inlineExternalData } from '../../src/model/external-data.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { besideGolden, goldenBytes, goldenModels, goldenRows, type GoldenModel } from '../support/golden-models.ts';
import { loadRows } from '../support/load-rows.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const TOLERANCE = 1e-5;

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
await superuser.query('grant usage on schema alice to pgscore_owner');

type Answer = { key: string; score: number | null; label: string | null };

/** What a way says of every committed row of a model, in the order of the keys. */
async function answers(model: GoldenModel, score: string, label: string): Promise<Answer[]> {
  const table = ident(model.name);
  const text = `select t.${ident(model.key.name)}::text as key, ${score} as score, ${label} as label from ${table} t order by 1`;
  return (await alice.query<Answer>(text)).rows;
}

/** What a run over the table says. */
async function batchAnswers({ name, key, task }: GoldenModel): Promise<Answer[]> {
  await scoreTable(alice, name, name);
  const score = task === 'multiclass' ? 'null::float8' : 'score';
  const label = task === 'regression' ? 'null::text' : 'label';
  const text = `select ${ident(key.name)}::text as key, ${score} as score, ${label} as label from ${ident(`${name}_scores`)} order by 1`;
  return (await alice.query<Answer>(text)).rows;
}

const literal = (text: string): string => alice.escapeLiteral(text);

function calls(model: GoldenModel): { score: string; label: string } {
  const name = literal(model.name);
  const labels = model.task === 'regression' ? 'null::text' : `pgscore.classify(${name}, t)`;
  return { score: model.task === 'multiclass' ? 'null::float8' : `pgscore.score(${name}, t)`, label: labels };
}

/** Rows whose answers differ by more than the design allows; a label may, where the score is at the threshold. */
function differing(some: readonly Answer[], others: readonly Answer[]): unknown[] {
  return some.flatMap((one, index) => {
    const other = others[index];
    const near = Math.abs((one.score ?? 0) - (other?.score ?? 0)) <= TOLERANCE * Math.max(1, Math.abs(one.score ?? 0));
    const same = one.key === other?.key && (one.score === null) === (other.score === null) && near;
    const sameLabel = one.label === other?.label || Math.abs((one.score ?? 0) - 0.5) <= TOLERANCE;
    return same && sameLabel ? [] : [{ one, other }];
  });
}

describe('batch, online, native and bound agree on every committed row', () => {
  test.each(goldenModels.map((model) => [model.name, model] as const))('%s', async (_, model) => {
    const bytes = await inlineExternalData(goldenBytes(model), (name) => besideGolden(model, name));
    await deployBytes(ada, model.name, bytes, model.deploy);
    await loadRows(alice, model.name, [model.key, ...model.features], goldenRows(model));
    const { rows: ways } = await alice.query<{ native: boolean; not_native: string | null }>(
      `select execution like '%native' as native, not_native from pgscore.models where model = $1`,
      [model.name],
    );
    expect(ways[0]).toEqual({ native: true, not_native: null });

    const { score, label } = calls(model);
    await alice.query('set pgscore.execution = online');
    const online = await answers(model, score, label);
    await alice.query('set pgscore.execution = native');
    const native = await answers(model, score, label);
    await alice.query('reset pgscore.execution');
    await alice.query('select pgscore.bind($1, $2::text::regclass)', [model.name, ident(model.name)]);
    const bound = await answers(
      model,
      score,
      model.task === 'multiclass' ? `pgscore_models.${ident(model.name)}(t)` : label,
    );
    const batch = await batchAnswers(model);

    expect(online).toHaveLength(goldenRows(model).length);
    expect(differing(batch, online)).toEqual([]);
    expect(differing(batch, native)).toEqual([]);
    expect(differing(batch, bound)).toEqual([]);
  });
});
