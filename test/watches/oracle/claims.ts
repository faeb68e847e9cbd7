import type { Client } from 'pg';

/** From now on notes which keys each run over keys was made for, as runs forget them when they end. */
export async function noteClaims(superuser: Client): Promise<void> {
  await superuser.query(`
    create table public.claimed (run_id bigint, key text);
    create function public.note_claim() returns trigger language plpgsql security definer as $$
      begin
        insert into public.claimed select new.run_id, k from unnest(new.keys) k;
        return null;
      end $$;
    create trigger note after insert on pgscore_data.run for each row when (new.keys is not null) execute function public.note_claim()`);
}

/** What there is too much of, or too little, among the predictions of claimed keys; nothing where all is right. */
const WRONG = [
  ['a key that a run claimed twice', 'select run_id, key from public.claimed group by 1, 2 having count(*) > 1'],
  ['two predictions of a key and snapshot', 'select id, snapshot_at from STORED p group by 1, 2 having count(*) > 1'],
  [
    'a prediction that no run claimed',
    `select p.id, p.run_id from STORED p where not exists
       (select from public.claimed c where c.run_id = p.run_id and c.key = p.id::text)`,
  ],
  ['a prediction of a run that did not end well', `select id, run_id from STORED p where state <> 'done'`],
  [
    'a prediction that an older one replaced',
    `select n.id, n.run_id, o.run_id as older from STORED n join STORED o using (id)
      where n.snapshot_at > o.snapshot_at and o.is_current`,
  ],
  [
    'a run that had more rows than it claimed keys',
    `select r.run_id, r.rows_done, r.rows_unchanged, c.keys
       from pgscore_data.run r join (select run_id, count(*) as keys from public.claimed group by 1) c using (run_id)
      where r.target_id = TARGET and r.state = 'done' and c.keys < r.rows_done + r.rows_unchanged`,
  ],
  [
    'a run that left older predictions of keys that it claimed, without having found their rows unchanged',
    `select r.run_id, r.rows_unchanged, count(*) from pgscore_data.run r join public.claimed c using (run_id)
       join STORED p on p.id::text = c.key and p.is_current and p.snapshot_at < r.snapshot_at
      where r.target_id = TARGET and r.state = 'done' group by 1, 2 having count(*) > r.rows_unchanged`,
  ],
  [
    'a run that counted others',
    `select r.run_id, r.rows_done, count(p.run_id) from pgscore_data.run r left join STORED p using (run_id)
      where r.target_id = TARGET and r.state = 'done' group by 1, 2 having r.rows_done <> count(p.run_id)`,
  ],
] as const;

/** Whether each claimed key and snapshot has one prediction, unless its row was unchanged or gone, and the newest stands in the target. */
export async function miscounted(superuser: Client): Promise<unknown[]> {
  const { rows: targets } = await superuser.query<{ target: number; current: number }>(
    `select t.target_id as target, t.current_generation as current
       from pgscore_data.watch join pgscore_data.target t using (target_id)`,
  );
  const found: unknown[] = [];
  for (const { target, current } of targets) {
    const stored = `(select p.id, p.run_id, r.snapshot_at, r.state, p.tableoid = 'pgscore_predictions.target_${target}_g${current}'::regclass
      as is_current from pgscore_predictions.target_${target} p join pgscore_data.run r using (run_id))`;
    for (const [what, text] of WRONG) {
      const asked = `${text.replaceAll('STORED', stored).replaceAll('TARGET', String(target))} limit 5`;
      const { rows } = await superuser.query(asked);
      found.push(...rows.map((row: unknown) => ({ what, target, row })));
    }
  }
  return found;
}
