import { randomBytes } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';

import { addMonitoredModel } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

/** Sets labels and an alert of a model as a role that is gone or renamed afterwards. Roles belong to the whole server. */
async function leave(model: string, role: string, end: string): Promise<void> {
  await addMonitoredModel(superuser, model, 'binary');
  const come = `create role ${role}; grant pgscore_user to ${role}; create schema ${role} authorization ${role}; set role ${role}`;
  await superuser.query(come);
  const create = `create table ${role}.truth (id int primary key, outcome text)`;
  await superuser.query(create);
  await superuser.query(`select pgscore.set_labels($1, $2::regclass, label => 'outcome')`, [model, `${role}.truth`]);
  await superuser.query(`select pgscore.set_alert($1, 'low', 'accuracy', threshold => 0.8)`, [model]);
  await superuser.query('reset role');
  await superuser.query('select pgscore.grant_model($1, $2)', [model, role]);
  await superuser.query(end);
}

const role = `gone_${randomBytes(4).toString('hex')}`;

describe.each([
  ['dropped', 'dropped_one', `${role}_a`, `drop owned by ${role}_a; drop role ${role}_a`, ''],
  [
    'renamed',
    'renamed_one',
    `${role}_b`,
    `alter role ${role}_b rename to ${role}_c`,
    `drop owned by ${role}_c; drop role ${role}_c`,
  ],
])('where a role that had set labels and an alert was %s', (_, model, name, end, clean) => {
  test('others see their own labels, and a deployer those that are left', async () => {
    await leave(model, name, end);
    const sources = 'select set_by from pgscore.label_sources where model = $1';
    expect((await alice.query(sources, [model])).rows).toEqual([]);
    expect((await ada.query(sources, [model])).rows).toEqual([{ set_by: name }]);
  });

  test("what it set is nobody else's to change", async () => {
    await alice.query('create table if not exists truth (id int primary key, outcome text)');
    for (const text of [
      `select pgscore.set_labels('${model}', 'truth', label => 'outcome')`,
      `select pgscore.unset_labels('${model}')`,
      `select pgscore.set_alert('${model}', 'low', 'accuracy', threshold => 0.7)`,
      `select pgscore.drop_alert('${model}', 'low')`,
    ])
      expect(await refusal(alice, text)).toMatchObject({ code: '42501' });
  });

  test('a deployer changes it, and takes its grant back', async () => {
    await ada.query(`select pgscore.set_alert($1, 'low', 'accuracy', threshold => 0.7)`, [model]);
    await ada.query(`select pgscore.drop_alert($1, 'low')`, [model]);
    await ada.query('select pgscore.unset_labels($1)', [model]);
    await ada.query('select pgscore.revoke_model($1, $2)', [model, name]);
    const left = 'select (select count(*) from pgscore.label_sources where model = $1)::int as labels';
    expect((await ada.query(left, [model])).rows).toEqual([{ labels: 0 }]);
    if (clean !== '') await superuser.query(clean);
  });
});
