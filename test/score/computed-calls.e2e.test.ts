import { beforeAll, describe, expect, test } from '@jest/globals';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { fullTrees, nestedTrees, regressor } from '../support/tree-models.ts';
import { votingModel } from '../support/voting-model.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();
const serverVersion = await serverVersionOf(superuser);

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
});

describe('a row without a native score', () => {
  beforeAll(async () => {
    await deployModel(ada, 'logistic', 'bench/logistic.onnx');
    const features = Array.from({ length: 20 }, (_, n) => `'${n % 2 === 0 ? '' : '-'}Infinity'::real as f${n}`);
    const create = `create table undecided as select ${features.join()}`;
    await alice.query(create);
  });

  test.each(['t', 'to_jsonb(t)', 'r'])('of a row without a native score nothing is said, %s', async (row) => {
    const text = `select score('logistic', ${row}), score('logistic', ${row}, class => '1') as "1", pgscore.classify('logistic', ${row}),
        pgscore.predict('logistic', ${row}) from undecided t, (select * from undecided offset 0) r`;
    const { rows } = await alice.query(text);
    const predict = { label: null, probabilities: null, version: 'logistic@1' };
    expect(rows).toEqual([{ score: null, '1': null, classify: null, predict }]);
  });

  test('score_rows() has neither a score nor a label of it', async () => {
    await alice.query('set pgscore.execution = native');
    const { rows } = await alice.query(
      `select s.score, s.label, s.probabilities from pgscore.score_rows('logistic', array(select u from undecided u)) s`,
    );
    await alice.query('reset pgscore.execution');
    expect(rows).toEqual([{ score: null, label: null, probabilities: null }]);
  });
});

describe('a forest, whose trees are made ready once for many rows', () => {
  const ROWS = 3000;
  const TRIES = 200;

  beforeAll(async () => {
    await deployBytes(ada, 'forest', regressor(nestedTrees(fullTrees({ spread: 12 }))), { features: ['a', 'b', 'c'] });
    await alice.query(
      `create table points as
      select n as id, sin(n)::real * 5 as a, cos(n * 7)::real * 5 as b, sin(n * 3)::real * 5 as c from generate_series(1, $1::int) n`,
      [ROWS],
    );
    await alice.query(`alter table points add primary key (id); analyze points`);
    await alice.query(`select pgscore.bind('forest', 'points')`);
    await superuser.query(`set track_functions = 'pl'`);
  });

  type Calls = { few: number; many: number };

  const COUNTED = `select coalesce(sum(calls) filter (where funcname like '%_few'), 0)::int as few, coalesce(sum(calls) filter (where funcname like '%_many'), 0)::int as many
     from pg_stat_xact_user_functions where schemaname = 'pgscore_models'`;

  /** How often each form was called by a statement about some rows. */
  async function callsOf(statement: string, values: unknown[] = []): Promise<Calls> {
    await superuser.query('begin');
    const before = await superuser.query<Calls>(COUNTED);
    await superuser.query(statement, values);
    const after = await superuser.query<Calls>(COUNTED);
    await superuser.query('commit');
    const since = (form: keyof Calls): number => (after.rows[0]?.[form] ?? 0) - (before.rows[0]?.[form] ?? 0);
    return { few: since('few'), many: since('many') };
  }

  test('a statement of many rows goes over to the form that is made ready once', async () => {
    const { few, many } = await callsOf(`select count(public.score('forest', p)) from alice.points p`);
    expect(few + many).toBe(ROWS);
    expect(many).toBeGreaterThan(ROWS / 2);
  });

  test('a statement of one row takes the form that needs not be made ready', async () => {
    // On a machine that stands still for a moment, the statement is old before it comes to its row.
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const { few, many } = await callsOf(`select public.score('forest', p) from alice.points p where id = $1`, [
        attempt,
      ]);
      expect(few + many).toBe(1);
      if (few === 1) return;
    }
    throw new Error(`none of ${TRIES} statements took it`);
  });

  test('what an index holds of many rows is found by what one row comes to', async () => {
    await alice.query('create index kept on points (pgscore_models.forest_v1(points))');
    await alice.query('set enable_seqscan = off');
    for (let id = 1; id <= 100; id += 1) {
      const { rows } = await alice.query<{ one: number }>(
        `select score('forest', p) as one from points p where id = $1`,
        [id],
      );
      const { rows: found } = await alice.query(
        'select id from points p where pgscore_models.forest_v1(p) = $1 and id = $2',
        [rows[0]?.one, id],
      );
      expect([id, found]).toEqual([id, [{ id }]]);
    }
    const plan = await alice.query('explain select id from points p where pgscore_models.forest_v1(p) = 1');
    expect(JSON.stringify(plan.rows)).toContain('kept');
    await alice.query('reset enable_seqscan');
  });

  test('nobody may call a form who may not call the model', async () => {
    const { rows } = await superuser.query(
      `select p.proname, has_function_privilege('pgscore_user', p.oid, 'execute') as user, has_function_privilege('pgscore_reader', p.oid, 'execute') as reader
         from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and p.proname ~ '^_v2(_few|_many)?$' order by 1`,
    );
    expect(rows.map(({ user, reader }) => [user, reader])).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ]);
  });
});

describe('votes that are tied', () => {
  type Way = 'native' | 'online';

  const FEATURES = ['a', 'b', 'c'];
  /** Votes for class 1, of ten. */
  const VOTES = [0, 4, 5, 6, 10];

  beforeAll(async () => {
    await alice.query('set pgscore.deadline = 60000');
    await alice.query('create table ballots (id int primary key, a real, b real, c real)');
    await alice.query(`insert into ballots select v, v - 0.5, 0, 0 from unnest($1::int[]) v`, [VOTES]);
  });

  type Said = { score: number; label: string; probabilities: Record<string, number>; rows: string };

  async function called(model: string, execution: Way): Promise<Said[]> {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
    const text = `select pgscore.score($1, t) as score, pgscore.classify($1, t) as label, pgscore.predict($1, t) -> 'probabilities' as probabilities,
        (select s.label from pgscore.score_rows($1, array[to_jsonb(t)]) s) as rows
      from ballots t order by id`;
    return (await alice.query<Said>(text.replaceAll('$1', alice.escapeLiteral(model)))).rows;
  }

  describe.each<[string, string, Record<string, unknown>, string[]]>([
    ['without a threshold is of the first class', 'own', {}, ['0', '0', '0', '1', '1']],
    ['at a threshold is positive', 'limited', { threshold: 0.5 }, ['0', '0', '1', '1', '1']],
    [
      'is of the first class, also if that is positive',
      'own_first',
      { positive_class: '0' },
      ['0', '0', '0', '1', '1'],
    ],
    [
      'at a threshold is of the first class if that is positive',
      'limited_first',
      { positive_class: '0', threshold: 0.5 },
      ['0', '0', '0', '1', '1'],
    ],
  ])('a tie %s', (_, model, options, labels) => {
    const shares = VOTES.map((votes) => (options['positive_class'] === '0' ? 10 - votes : votes) / 10);

    beforeAll(async () => {
      await deployBytes(ada, model, votingModel(), { features: FEATURES, ...options });
    });

    test('in a scored table, and so it is counted', async () => {
      await scoreTable(alice, model, 'ballots', { target: `${model}_scores` });
      const read = `select label, score from ${model}_scores order by id`;
      const { rows } = await alice.query<{ label: string; score: number }>(read);
      expect(rows.map(({ label }) => label)).toEqual(labels);
      expect(Math.max(...rows.map(({ score }) => score))).toBeLessThanOrEqual(1);
      await superuser.query('select pgscore.refresh()');
      const { rows: cells } = await superuser.query<{ n: string; positive: string }>(
        `select sum(c.n) as n, sum(c.n_positive) as positive from pgscore_data.cell_score c
           join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = $1`,
        [model],
      );
      const positive = options['positive_class'] ?? '1';
      expect(cells).toEqual([{ n: '5', positive: String(labels.filter((label) => label === positive).length) }]);
    });

    test.each<Way>(['native', 'online'])('in %s calls, and no probability is past 0 or 1', async (execution) => {
      const said = await called(model, execution);
      expect(said.map(({ label }) => label)).toEqual(labels);
      expect(said.map(({ rows }) => rows)).toEqual(labels);
      expect(said.map(({ score }) => score)).toEqual(shares.map((share) => expect.closeTo(share, 6)));
      for (const share of said.flatMap(({ score, probabilities }) => [score, ...Object.values(probabilities)])) {
        expect(share).toBeLessThanOrEqual(1);
        expect(share).toBeGreaterThanOrEqual(0);
      }
    });
  });
});

describe('a query with workers', () => {
  /** A sum over so many rows that the planner, which is told that workers cost nothing, reads them with several. */
  beforeAll(async () => {
    await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
    await alice.query('create table numbers as select n as id, (n % 10)::float8 as a from generate_series(1, 20000) n');
    await alice.query('analyze numbers');
    for (const setting of ['parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size']) {
      await alice.query("select set_config($1, '0', false)", [setting]);
    }
  });

  /** The sum, and how PostgreSQL got it: with the workers that it started, not only planned. */
  async function executed(text: string): Promise<{ sum: unknown; plan: string }> {
    const explain = `explain (analyze, costs off, timing off, summary off) ${text}`;
    const lines = (await alice.query<{ 'QUERY PLAN': string }>(explain)).rows.map((row) => row['QUERY PLAN']);
    return { sum: (await alice.query<{ sum: number }>(text)).rows[0]?.sum, plan: lines.join('\n') };
  }

  const CALLS = [
    `score('sum', p)`,
    `score('sum', to_jsonb(p)::text)`,
    `(pgscore.predict('sum', p) ->> 'value')::float8`,
  ];

  test.each(['native', 'online'])('a query that PostgreSQL runs with workers may call score(), %s', async (way) => {
    await alice.query("select set_config('pgscore.execution', $1, false)", [way]);
    for (const call of CALLS) {
      const { sum, plan } = await executed(
        `select sum(s)::int as sum from (select ${call} as s from numbers p where id < 200 offset 0) x`,
      );
      expect(sum).toBe(900);
      // The workers read the rows, and the leader scores them; before 17 the call keeps the query to one process.
      if (serverVersion < 170_000) expect(plan).not.toContain('Workers');
      else expect(plan).toMatch(/Workers Launched: [12]/);
    }
    await alice.query('reset pgscore.execution');
  });

  test('the function of a bound model runs in the workers, and in them alone where the leader may not help', async () => {
    await alice.query(`select pgscore.bind('sum', 'numbers')`);
    await alice.query('set parallel_leader_participation = off');
    const { sum, plan } = await executed('select sum(pgscore_models.sum(p))::int as sum from numbers p');
    expect(sum).toBe(90_000);
    const workers = Number(/Workers Launched: (\d)/.exec(plan)?.[1]);
    expect(workers).toBeGreaterThan(0);
    expect(plan).toMatch(new RegExp(`Partial Aggregate .*loops=${workers}\\)`));
    await alice.query('reset parallel_leader_participation');
    await alice.query(`select pgscore.unbind('sum', 'numbers')`);
  });
});
