import { deployBytes } from '../support/deploy.ts';
import { scoreFixture, type ScoreFixture } from '../support/score-fixture.ts';
import { SLOW_SIGNATURE } from '../support/slow-model.ts';
import { weightedModel } from '../support/weighted-model.ts';

export const ROWS = 2000;

/** A service, and a table of visits of some hundred customers; a tenth of the visits is of nobody. */
export async function visitsFixture(): Promise<Visits> {
  const fixture = await scoreFixture({ PGSCORE_POLL: '0.4', PGSCORE_BATCH_TIMEOUT: '4' });
  await fixture.alice.query('create table visits (id int primary key, customer text, x real, b real, y text)');
  await fixture.alice.query(
    `insert into visits select i, case when i % 10 > 0 then 'c' || i % 500 end, i, i % 7 from generate_series(1, $1::int) i`,
    [ROWS],
  );
  return new Visits(fixture);
}

export class Visits {
  readonly ada: ScoreFixture['ada'];
  readonly alice: ScoreFixture['alice'];
  readonly superuser: ScoreFixture['superuser'];

  constructor({ ada, alice, superuser }: Pick<ScoreFixture, 'ada' | 'alice' | 'superuser'>) {
    this.ada = ada;
    this.alice = alice;
    this.superuser = superuser;
  }

  /** Deploys a champion that says x, and a version 2 that says x + 10 b. */
  async deployPair(model: string): Promise<void> {
    await deployBytes(this.ada, model, weightedModel({ x: 'float32' }));
    await deployBytes(this.ada, model, weightedModel({ x: 'float32', b: 'float32' }));
  }

  /** Puts another model where a deployed one was: the check refuses one that hangs. */
  async putModel(version: string, bytes: Uint8Array): Promise<void> {
    const { rows } = await this.superuser.query<{ id: number }>(
      'update pgscore_data.version set signature = $2 where version_id = (pgscore._find_version($1)).version_id returning version_id as id',
      [version, JSON.stringify(SLOW_SIGNATURE)],
    );
    const id = rows[0]?.id;
    await this.superuser.query('delete from pgscore_data.artifact where version_id = $1', [id]);
    const put = 'insert into pgscore_data.artifact (version_id, is_served, piece, bytes) values ($1, false, 0, $2)';
    await this.superuser.query(put, [id, Buffer.from(bytes)]);
  }

  /** Starts an experiment in which version 2 has so many percent. */
  async start(model: string, percent: number, splitBy = '{customer}'): Promise<void> {
    const text = `select pgscore.start_experiment($1, kind => 'canary', arms => $2, split_by => $3)`;
    await this.ada.query(text, [model, { [`${model}@2`]: percent }, splitBy]);
  }

  /** How many visits are in the arm of version 2. */
  async shareOf(model: string): Promise<number> {
    const text = `select count(*)::int as n from visits where pgscore.arm($1, customer) = $2`;
    return (await this.alice.query<{ n: number }>(text, [model, `${model}@2`])).rows[0]?.n ?? 0;
  }

  /** How many rows each version has in a view, and how many of those are not in the arm of their key, or not as it would score them. */
  async byVersion(view: string): Promise<unknown[]> {
    const text = `select p.model_version, count(*)::int as rows, count(distinct p.run_id)::int as runs,
              count(*) filter (where p.model_version <> pgscore.arm(split_part(p.model_version, '@', 1), s.customer)
                or p.score is distinct from s.x + case when p.model_version like '%@2' then 10 * s.b else 0 end)::int as wrong
         from ${view} p join visits s using (id) group by 1 order by 1`;
    const { rows } = await this.alice.query(text);
    return rows;
  }
}
