"""Tables whose features are arrays: pixels, days of hours, letters."""

from functools import cache

import numpy as np
import pandas as pd
import torch

import tables

LENGTH = 12
HOURS = 24


def literal(value: np.ndarray) -> str:
    """An array as PostgreSQL writes it."""
    if value.ndim > 1:
        return '{' + ','.join(literal(part) for part in value) + '}'
    return '{' + ','.join(repr(part) for part in value.tolist()) + '}'


def of_arrays(name: str, sql: str, values: np.ndarray, known: pd.DataFrame, truth) -> tables.Table:
    rows = pd.DataFrame({name: [literal(value) for value in values]})
    return tables.Table(known, truth, rows, {name: sql})


def in_array(table: tables.Table, name: str, sql: str) -> tables.Table:
    return of_arrays(name, sql, table.scored.astype(np.float64), table.known, table.truth)


@cache
def days() -> tuple[tables.Table, torch.Tensor, torch.Tensor]:
    """Temperature, wind and humidity of 24 hours; the temperature of the next hour is the truth."""
    newark = tables.weather()
    newark = newark[newark.origin == 'EWR'][['temp', 'wind_speed', 'humid']].to_numpy(np.float32)
    starts = np.arange(0, len(newark) - HOURS - 1, 37)
    values = np.stack([newark[start : start + HOURS] for start in starts]).round(2)
    truth = pd.Series([newark[start + HOURS, 0] for start in starts])
    rows = tables.ROWS // 2
    table = of_arrays('day', 'real[]', values[:rows].astype(np.float64).round(2), pd.DataFrame(), truth[rows:])
    return table, torch.from_numpy(values[rows:]), torch.from_numpy(values[:rows])


@cache
def letters():
    """The first letters of an airport's name as whole numbers."""
    table = tables.airports()
    truth = table.truth.astype('category')
    labels = [str(label) for label in truth.cat.categories]

    def codes(frame):
        return np.stack([[letter_code(letter) for letter in name.lower().ljust(LENGTH)[:LENGTH]] for name in frame.name])

    scored = codes(table.rows)
    given = of_arrays('letters', 'int[]', scored, table.known, table.truth)
    learned = torch.from_numpy(codes(table.known))
    return given, learned, torch.from_numpy(scored), labels, torch.tensor(truth.cat.codes.to_numpy()).long()


def letter_code(letter: str) -> int:
    return ord(letter) - 96 if 'a' <= letter <= 'z' else 0
