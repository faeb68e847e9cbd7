import { beforeAll, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';

const { ada, alice } = await scoreFixture();

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
