import { fireTimes } from './fire-times.ts';

/**
 * The first fire time after an instant.
 *
 * @param cron five fields (minute hour day-of-month month day-of-week), or @hourly, @daily, @weekly, @monthly, @yearly;
 *   where both day fields are restricted, either may match
 * @param timeZone IANA name of the zone whose clocks the fields mean
 * @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`.
 */
export function nextFire(cron: string, timeZone: string, after: Date): Date {
  return new Date(fireTimes(cron, timeZone).after(after.getTime()));
}

/** The fire times after `after` and not after `until`, oldest first; of more than `most`, the oldest. Errors as of nextFire. */
export function firesBetween(cron: string, timeZone: string, after: Date, until: Date, most: number): Date[] {
  const times = fireTimes(cron, timeZone);
  const fires: Date[] = [];
  for (
    let fire = times.after(after.getTime());
    fire <= until.getTime() && fires.length < most;
    fire = times.after(fire)
  ) {
    fires.push(new Date(fire));
  }
  return fires;
}

/** As firesBetween; of more than `most`, the newest. */
export function lastFiresBetween(cron: string, timeZone: string, after: Date, until: Date, most: number): Date[] {
  const times = fireTimes(cron, timeZone);
  const fires: Date[] = [];
  for (
    let fire = times.upTo(until.getTime());
    fire > after.getTime() && fires.length < most;
    fire = times.upTo(fire - 1)
  ) {
    fires.push(new Date(fire));
  }
  return fires.toReversed();
}
