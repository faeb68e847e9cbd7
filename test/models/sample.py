"""Picks the rows that a model is tested on."""

import pandas as pd

ROWS = 200
ROWS_WITH_GAPS = 50


def with_gaps(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """200 rows in order, of which 50 lack a value in one of the columns."""
    gaps = frame[columns].isna().any(axis=1)
    lacking = frame[gaps].sample(ROWS_WITH_GAPS, random_state=7)
    full = frame[~gaps].sample(ROWS - ROWS_WITH_GAPS, random_state=7)
    return at_float32(pd.concat([lacking, full]).sort_index())


def complete(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """200 rows in order that lack nothing."""
    return at_float32(frame.dropna(subset=columns).sample(ROWS, random_state=7).sort_index())


def at_float32(frame: pd.DataFrame) -> pd.DataFrame:
    """The values that a real column and a float tensor hold, which is what the framework must score too."""
    floats = frame.select_dtypes('float64').columns
    return frame.astype({column: 'float32' for column in floats}).astype({column: 'float64' for column in floats})
