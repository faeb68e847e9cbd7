import type { Client } from 'pg';

/** A regression over one real column, x, as the check of a deployed file would have left it. */
const SIGNATURE = {
  task: 'regression',
  inputs: [{ name: 'x', type: 'float32', width: 1, shape: [null, 1] }],
  features: [{ name: 'x', input: 'x', position: 0, type: 'float32', width: 1, nulls: 'error' }],
  outputs: { value: { name: 'y' } },
  classLabels: [],
  batch: null,
};

/** Puts a model with a ready champion into the database without a service to check it; there is nothing to run in it. */
export async function addReadyModel(superuser: Client, name: string): Promise<void> {
  await superuser.query(
    `with model as (
       insert into pgscore_data.model (name, created_by) values ($1, current_user) returning model_id
     ), version as (
       insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by)
       select model_id, 1, 'ready', '', 1, $2, current_user from model returning model_id, version_id
     )
     insert into pgscore_data.alias (model_id, alias, version_id) select model_id, 'champion', version_id from version`,
    [name, JSON.stringify(SIGNATURE)],
  );
}
