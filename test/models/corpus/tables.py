"""The tables that the corpus is learned from: real data, of which a few rows are kept to score."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from flights import demo_flights, read, training_flights
from sklearn import datasets

ROWS = 40
STORED = {'real': 'float32', 'int2': 'Int64', 'int4': 'Int64', 'int8': 'Int64', 'smallint': 'Int64'}


@dataclass(frozen=True)
class Table:
    """`types` has the SQL type of each feature, in the order of training; `truth` is of the rows that are learned from."""

    known: pd.DataFrame
    truth: pd.Series | pd.DataFrame
    rows: pd.DataFrame
    types: dict[str, str]

    @property
    def names(self) -> list[str]:
        return list(self.types)

    def matrix(self, frame: pd.DataFrame, kind=np.float32) -> np.ndarray:
        return frame[self.names].to_numpy(kind, na_value=np.nan)

    @property
    def learned(self) -> np.ndarray:
        return self.matrix(self.known)

    @property
    def scored(self) -> np.ndarray:
        return self.matrix(self.rows)


def split(features: pd.DataFrame, truth, types: dict[str, str], gaps: bool = False) -> Table:
    """Keeps ROWS rows to score, with NULLs among them where `gaps`; the others are learned from."""
    features = as_stored(features[list(types)].reset_index(drop=True), types)
    truth = truth.reset_index(drop=True)
    whole = features.dropna()
    if gaps:
        lacking = features[features.isna().any(axis=1)]
        taken = min(len(lacking) // 2, ROWS // 4)
        rows = pd.concat([lacking.sample(taken, random_state=7), whole.sample(ROWS - taken, random_state=7)]).sort_index()
        known = features.drop(rows.index)
    else:
        rows = whole.sample(min(ROWS, len(whole) // 2), random_state=7).sort_index()
        known = whole.drop(rows.index)
    return Table(known.reset_index(drop=True), truth.loc[known.index].reset_index(drop=True), rows.reset_index(drop=True), types)


def as_stored(frame: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    """The values as columns of these types hold them."""
    casts = {name: STORED[sql] for name, sql in types.items() if sql in STORED}
    return frame.astype(casts).astype({name: 'float64' for name, sql in types.items() if sql == 'real'})


@cache
def cancer() -> Table:
    """Names with spaces; benign or malignant."""
    data = datasets.load_breast_cancer(as_frame=True)
    names = [name for name in data.data if name.startswith('mean')]
    truth = data.target.map(dict(enumerate(data.target_names)))
    return split(data.data, truth, dict.fromkeys(names, 'real'))


@cache
def iris() -> Table:
    data = datasets.load_iris(as_frame=True)
    names = ['sepal length (cm)', 'sepal width (cm)', 'petal length (cm)', 'petal width (cm)']
    truth = data.target.map(dict(enumerate(data.target_names)))
    return split(data.data, truth, dict.fromkeys(names, 'real'))


@cache
def wine() -> Table:
    """Whole numbers as classes; a slash in a name; numeric, double precision and integer columns."""
    data = datasets.load_wine(as_frame=True)
    types = dict.fromkeys(data.data, 'real') | {'proline': 'int4', 'magnesium': 'int2', 'alcohol': 'numeric(6,2)'}
    return split(data.data, data.target, types)


@cache
def diabetes() -> Table:
    """A number to predict; the columns are scaled already."""
    data = datasets.load_diabetes(as_frame=True)
    return split(data.data, data.target, dict.fromkeys(data.data, 'real'))


@cache
def digits() -> Table:
    """64 pixels."""
    data = datasets.load_digits(as_frame=True)
    return split(data.data, data.target, dict.fromkeys(data.data, 'real'))


@cache
def linnerud() -> Table:
    """Three exercises, three targets."""
    data = datasets.load_linnerud(as_frame=True)
    return split(data.data, data.target, {'Chins': 'int4', 'Situps': 'int4', 'Jumps': 'int4'})


@cache
def penguins(gaps: bool = False) -> Table:
    """Awkward names and texts; a number of rows lack a value."""
    folder = importlib.util.find_spec('palmerpenguins').submodule_search_locations[0]
    frame = pd.read_csv(Path(folder, 'data', 'penguins.csv')).rename(
        columns={
            'bill_length_mm': 'Schnabellänge (mm)',
            'bill_depth_mm': 'BillDepth',
            'flipper_length_mm': 'flipper "length"',
            'body_mass_g': 'select',
            'island': "island's name",
            'year': 'Year',
            'sex': 'Sex',
        }
    )
    types = {
        'Schnabellänge (mm)': 'real',
        'BillDepth': 'double precision',
        'flipper "length"': 'int2',
        'select': 'numeric',
        'Year': 'bigint',
        "island's name": 'text',
        'Sex': 'varchar(10)',
    }
    return split(frame, frame.species, types, gaps)


@cache
def penguin_numbers(gaps: bool = False) -> Table:
    """The numbers of the penguins alone."""
    table = penguins(gaps)
    types = {name: sql for name, sql in table.types.items() if sql not in ('text', 'varchar(10)')}
    return Table(table.known, table.truth, table.rows, types)


@cache
def flights(gaps: bool = False) -> Table:
    """Whether a flight will be late; numbers, texts and booleans, of which some are NULL."""
    types = {
        'distance': 'int4',
        'departure_hour': 'int2',
        'weekday': 'int4',
        'is_weekend': 'boolean',
        'temp': 'real',
        'wind_speed': 'double precision',
        'pressure': 'real',
        'seats': 'int4',
        'carrier': 'text',
        'origin': 'char(3)',
    }
    known = with_weekend(training_flights([1, 2, 3, 4]).sample(3000, random_state=7))
    shown = with_weekend(demo_flights().sample(400, random_state=7))
    known = known if gaps else known.dropna(subset=list(types))
    rows = split(shown, shown.was_late, types, gaps).rows
    return Table(as_stored(known[list(types)].reset_index(drop=True), types), known.was_late.reset_index(drop=True), rows, types)


def with_weekend(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_weekend=frame.weekday >= 6)


@cache
def flight_numbers(gaps: bool = False) -> Table:
    table = flights(gaps)
    types = {name: sql for name, sql in table.types.items() if sql not in ('text', 'char(3)', 'boolean')}
    return Table(table.known, table.truth, table.rows, types)


@cache
def weather() -> pd.DataFrame:
    frame = read('weather.csv').dropna(subset=['temp', 'dewp', 'humid', 'wind_speed', 'pressure', 'visib', 'precip'])
    return frame.reset_index(drop=True)


@cache
def climate() -> Table:
    """Three targets: temperature, dew point and humidity of an hour."""
    types = {'month': 'int2', 'hour': 'int2', 'wind_speed': 'real', 'pressure': 'real', 'visib': 'real'}
    frame = weather().sample(1500, random_state=7)
    return split(frame, frame[['temp', 'dewp', 'humid']], types)


@cache
def hazards() -> Table:
    """Three labels, which exclude nothing: wind, rain, fog."""
    types = {'month': 'int2', 'hour': 'int2', 'temp': 'real', 'dewp': 'real', 'humid': 'real', 'pressure': 'real'}
    frame = weather().sample(1500, random_state=7)
    truth = pd.DataFrame({'windy': frame.wind_speed > 14, 'wet': frame.precip > 0, 'foggy': frame.visib < 8}).astype(int)
    return split(frame, truth, types)


@cache
def airports() -> Table:
    """A name in words; what kind of place it is."""
    frame = read('airports.csv').dropna(subset=['name'])
    kinds = frame.name.str.extract(r'\b(Airport|Field|Heliport|Seaplane|Muni|Intl)\b')[0].fillna('other')
    text = frame.name.str.replace(r'\b(Airport|Field|Heliport|Seaplane|Muni|Intl)\b', '', regex=True).str.strip()
    frame = pd.DataFrame({'name': text, 'alt': frame.alt})
    frame = frame[text.str.len() > 2]
    return split(frame, kinds.map(lambda kind: kind if kind in ('Airport', 'Muni', 'Intl') else 'other'), {'name': 'text'})
