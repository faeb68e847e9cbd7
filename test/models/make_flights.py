"""Writes demo/flights.csv.gz: every tenth flight out of New York in 2013, features and truth in one table."""

import pandas as pd

from flights import demo_flights
from gzipped import write_csv
from paths import DEMO

FEATURES = [
    'flight_date',
    'scheduled_at',
    'carrier',
    'origin',
    'dest',
    'distance',
    'scheduled_minutes',
    'departure_hour',
    'arrival_hour',
    'weekday',
    'month',
    'temp',
    'wind_speed',
    'precip',
    'visib',
    'pressure',
    'seats',
]
TRUTH = ['was_late', 'arr_delay', 'air_time', 'landed_at']


def as_csv_shows(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame[['flight_id', *FEATURES, *TRUTH]].astype({'seats': 'Int64', 'arr_delay': int, 'air_time': int})
    for instant in ('scheduled_at', 'landed_at'):
        frame[instant] = frame[instant].map(lambda time: time.isoformat(timespec='minutes'))
    return frame.assign(was_late=frame.was_late.map({True: 'true', False: 'false'}))


if __name__ == '__main__':
    write_csv(as_csv_shows(demo_flights()), DEMO / 'flights.csv.gz')
