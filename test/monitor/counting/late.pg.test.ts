import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../../support/database.ts';
import { addMonitoredModel, addVersion } from '../monitored-model.ts';
import { ModelHistory } from './model-history.ts';
import { DAY_MS } from './record.ts';
import { SlowRecord } from './slow-record.ts';

const database = await cloneDatabase();
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;

test.each([true, false])(
  'a label for a prediction that late let go of changes no other pair (large: %s)',
  async (isLarge) => {
    const name = isLarge ? 'large' : 'small';
    const model = await addMonitoredModel(superuser, name, 'binary');
    const versions = [model, await addVersion(superuser, model, 2)];
    const history = await ModelHistory.of(
      { superuser, alice, ada },
      { model: { ...model, name, task: 'binary' as const, target: `${name}_scores` }, versions },
      new SlowRecord(),
    );
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    const given = ids.map(() => 0.75);
    const look = async () => {
      await superuser.query('select pgscore.refresh()');
      const { rows } = await superuser.query(
        `select window_date - current_date as day, n_labeled::int l, accuracy from pgscore_bi.binary_performance_daily where model_name = $1 and model_version = 1 order by 1`,
        [name],
      );
      return rows;
    };
    await ada.query(`select pgscore.monitor($1, late => '90 days')`, [name]);
    for (const d of [200, 150, 100, 1])
      await history.run(1, { snapshotAt: TODAY - d * DAY_MS, ids, given, isLarge, publish: true });
    await history.tell(ids.map((id) => ({ id, knownAt: TODAY - 199 * DAY_MS, truth: 'yes' })));
    await look();
    await superuser.query('select pgscore_data._delete_predictions()');
    const before = await look();
    await history.tell(ids.slice(0, 10).map((id) => ({ id, knownAt: TODAY - 149 * DAY_MS, truth: 'no' })));
    const after = await look();
    expect(after).toEqual(before);
  },
);
