"""Delay prediction as most matrix models of the test set see it: numbers alone, in one float matrix."""

from functools import cache

import numpy as np
import pandas as pd

from flights import training_flights

KEY = {'flight_id': 'int4'}
NUMBERS = {
    'distance': 'int4',
    'scheduled_minutes': 'int4',
    'departure_hour': 'int4',
    'weekday': 'int4',
    'temp': 'real',
    'wind_speed': 'real',
    'precip': 'real',
    'visib': 'real',
    'pressure': 'real',
    'seats': 'int4',
}
LATE = ['0', '1']


@cache
def history() -> pd.DataFrame:
    """Flights of January to June to learn from: enough to be real, few enough to train in seconds."""
    return training_flights([1, 2, 3, 4, 5, 6]).sample(20_000, random_state=7)


def matrix(frame: pd.DataFrame) -> np.ndarray:
    """The numbers as float32 [rows, 10], NaN where one is missing."""
    return frame[list(NUMBERS)].to_numpy(np.float32)
