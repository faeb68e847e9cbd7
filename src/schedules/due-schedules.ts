import { statement } from '../postgres/statement.ts';
import type { CatchUp } from './due.ts';

/** A schedule whose next fire time has come, or is not known yet. */
export type DueSchedule = {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly catchUp: CatchUp;
  readonly decidedUntil: Date;
  /** Its function in pgscore_sources. */
  readonly handle: string;
  readonly guardKey: string;
  /** The database's clock, the only one that decides. */
  readonly now: Date;
};

/** The schedules to look at, the most urgent first. */
export const dueSchedules = statement<[], DueSchedule>(
  'due_schedules',
  `with clock as materialized (select clock_timestamp() as now)
   select s.schedule_id as id, s.name, s.owner, s.cron, s.time_zone as "timeZone", s.catch_up as "catchUp", s.decided_until as "decidedUntil",
          s.handle, s.guard_key as "guardKey", clock.now
     from pgscore_data.schedule s cross join clock
    where not s.paused and s.error is null and (s.next_fire_at is null or s.next_fire_at <= clock.now)
    order by s.next_fire_at nulls last, s.schedule_id`,
);
