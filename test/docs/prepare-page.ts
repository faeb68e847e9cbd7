import type { Client } from 'pg';

import { classModel } from '../support/class-model.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';

type Prepare = (you: Client, superuser: Client) => Promise<void>;

/** What the statements of a page are about and the flights do not have. */
const PAGES: Readonly<Record<string, Prepare>> = {
  'docs/guides/label-horizon.md': async (you) => {
    await deployBytes(you, 'churn', classModel(2), { task: 'binary', class_labels: ['0', '1'], features: ['age'] });
    await you.query('create table customers (customer_id bigint primary key, age real, as_of date)');
  },
  'docs/reference/casts.md': async (you) => {
    await deployModel(you, 'tone', 'test/models/arrays/tone.onnx');
  },
  'docs/guides/deploy-a-model.md': async (you) => {
    const targets = ['air_time', 'arr_delay'];
    await deployModel(you, 'flight_times', 'test/models/values/trees_targets.onnx', { targets });
    const features = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];
    await deployModel(you, 'components', 'test/models/arrays/components.onnx', { features, task: 'embedding' });
  },
  'docs/reference/schedules.md': async (you) => {
    await you.query("select pgscore.unschedule('nightly')");
  },
};

/** Makes what a page takes for granted. */
export async function preparePage(page: string, you: Client, superuser: Client): Promise<void> {
  await PAGES[page]?.(you, superuser);
}
