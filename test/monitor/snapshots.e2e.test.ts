import { expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice, superuser } = await scoreFixture({ PGSCORE_POLL: '0.4' });
const notices: unknown[] = [];
alice.on('notice', ({ message, hint }) => notices.push({ message, hint }));

const UNJUDGED = {
  message:
    'no label of model "churn" can judge the predictions of alice.churn_states_scores: they are keyed by customer, as_of, labels by customer',
  hint: 'Key predictions and labels alike. If the table has several rows per entity, one per time, score one time after another through a view, keyed by the entity alone.',
};

test('predictions of several times of an entity, keyed by both, have a notice; scored one time after the other, labels judge them', async () => {
  await deployBytes(ada, 'churn', weightedModel({ x: 'float64' }));
  await alice.query(`create table churn_states (customer int, as_of date, x float8, primary key (customer, as_of));
    insert into churn_states values (1, '2026-01-01', 10), (1, '2026-02-01', 20), (2, '2026-01-01', 30), (2, '2026-02-01', 40);
    create table churn_truth (customer int, known date, y float8, primary key (customer, known));
    insert into churn_truth values (1, '2026-01-20', 11), (1, '2026-02-20', 21), (2, '2026-01-20', 31), (2, '2026-02-20', 41)`);
  const labels = `select pgscore.set_labels('churn', 'churn_truth', label => 'y', key => 'customer', known_at => 'known')`;
  await alice.query(labels);
  const both = { event_time: 'as_of' };
  expect(await scoreTable(alice, 'churn', 'churn_states', both)).toMatchObject({ state: 'done' });
  expect(notices).toEqual([UNJUDGED]);

  await alice.query(`create view january as select * from churn_states where as_of = '2026-01-01';
    create view february as select * from churn_states where as_of = '2026-02-01'`);
  const one = { key: 'customer', event_time: 'as_of', target: 'churn_scores' };
  expect(await scoreTable(alice, 'churn', 'january', one)).toMatchObject({ state: 'done' });
  expect(await scoreTable(alice, 'churn', 'february', one)).toMatchObject({ state: 'done' });
  expect(notices).toEqual([UNJUDGED]);
  const judged = `select window_date::text as month, n_labeled::int as labeled, mae from pgscore_bi.regression_performance_monthly where model_name = 'churn' order by 1`;
  const months = [
    { month: '2026-01-01', labeled: 2, mae: 1 },
    { month: '2026-02-01', labeled: 2, mae: 1 },
  ];
  await waitFor(async () => JSON.stringify((await superuser.query(judged)).rows) === JSON.stringify(months), {
    message: 'the labels of both months',
  });

  await alice.query(labels);
  expect(notices).toEqual([UNJUDGED, UNJUDGED]);
});
