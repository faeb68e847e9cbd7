"""The models of the demo: will the flight be late, and how long will it be in the air."""

from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import expected
from flights import demo_flights, training_flights
from golden import Golden, keep
from paths import DEMO_MODELS
from sample import complete, with_gaps
from sklearn_export import FRAMEWORK, export_columns

KEY = {'flight_id': 'int4'}
DELAY = {
    'distance': 'int4',
    'departure_hour': 'int4',
    'wind_speed': 'real',
    'precip': 'real',
    'visib': 'real',
    'pressure': 'real',
    'seats': 'int4',
    'weekday': 'int4',
    'carrier': 'text',
    'origin': 'text',
    'dest': 'text',
}
AIR_TIME = {'distance': 'int4', 'departure_hour': 'int4', 'origin': 'text', 'dest': 'text'}


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown='ignore')


def arrival_delay() -> dict:
    """The probability of more than 15 minutes of delay, learned from January to March."""
    numbers, days, texts = list(DELAY)[:7], ['weekday'], list(DELAY)[8:]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy='median'), StandardScaler()), numbers),
            (one_hot(), days),
            (one_hot(), texts),
        ),
        LogisticRegression(C=0.1, max_iter=500),
    )
    history = training_flights([1, 2, 3])
    model.fit(history[list(DELAY)], history.was_late.astype(int))
    path = DEMO_MODELS / 'arrival_delay.onnx'
    export_columns(model, path, numbers=numbers, integers=days, texts=texts)
    rows = with_gaps(demo_flights(), list(DELAY))
    return keep(
        Golden(
            name='arrival_delay',
            path=path,
            framework=FRAMEWORK,
            rows=rows,
            types=KEY | DELAY,
            task='binary',
            expected=expected.classes(['0', '1'], model.predict(rows), model.predict_proba(rows), positive='1'),
            class_labels=['0', '1'],
        )
    )


def air_time(season: str, months: list[int]) -> dict:
    """The minutes in the air, learned from these months alone: the winds of one season."""
    numbers, texts = list(AIR_TIME)[:2], list(AIR_TIME)[2:]
    model = make_pipeline(make_column_transformer((StandardScaler(), numbers), (one_hot(), texts)), Ridge())
    history = training_flights(months)
    model.fit(history[list(AIR_TIME)], history.air_time)
    path = DEMO_MODELS / f'air_time_{season}.onnx'
    export_columns(model, path, numbers=numbers, integers=[], texts=texts)
    rows = complete(demo_flights(), list(AIR_TIME))
    return keep(
        Golden(
            name=f'air_time_{season}',
            path=path,
            framework=FRAMEWORK,
            rows=rows,
            types=KEY | AIR_TIME,
            task='regression',
            expected=expected.values(model.predict(rows)),
        )
    )


def train() -> list[dict]:
    return [arrival_delay(), air_time('january', [1]), air_time('spring', [4, 5, 6])]
