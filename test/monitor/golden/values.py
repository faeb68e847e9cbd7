"""What scikit-learn and numpy say of models that give several values a row: `values.json`.

python values.py, in an environment with the requirements of test/models. ONNX Runtime scores the rows of
test/models/values; the truth is that of these flights. Every seventh row lacks the first value of its truth.
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
import pandas as pd
from sklearn import metrics

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parents[1] / 'models'
sys.path.insert(0, str(MODELS))

from flights import demo_flights  # noqa: E402
from make_values import FEATURES  # noqa: E402

DAYS = ['2026-03-02', '2026-03-03', '2026-03-04']


def scored(name: str) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The rows of a model with their truth, and its outputs."""
    rows = pd.read_csv(MODELS / 'values' / f'{name}.csv.gz')
    session = onnxruntime.InferenceSession(str(MODELS / 'values' / f'{name}.onnx'))
    given, name_of_input = rows[FEATURES].to_numpy(np.float32), session.get_inputs()[0].name
    # One by one: of a batch, the runtime may add up the trees of a forest in another order.
    each = [session.run(None, {name_of_input: row[None, :]}) for row in given]
    truth = demo_flights().set_index('flight_id').loc[rows.flight_id].reset_index()
    truth['date'] = [DAYS[n % len(DAYS)] for n in range(len(truth))]
    return truth, [np.concatenate([outputs[n] for outputs in each]) for n in range(len(each[0]))]


def windows(truth: pd.DataFrame):
    """The rows of each day and of the month."""
    for date in DAYS:
        yield 'day', date, (truth.date == date).to_numpy()
    yield 'month', '2026-03-01', np.ones(len(truth), bool)


def of_regression(y: np.ndarray, said: np.ndarray) -> dict:
    return {
        'mae': metrics.mean_absolute_error(y, said),
        'rmse': metrics.root_mean_squared_error(y, said),
        'bias': (said - y).mean(),
        'r2': metrics.r2_score(y, said),
        'explained_variance': metrics.explained_variance_score(y, said),
        'mape': metrics.mean_absolute_percentage_error(y[y != 0], said[y != 0]),
    }


def quantiles(name: str, levels: dict[str, float]) -> dict:
    truth, outputs = scored(name)
    said = np.column_stack([each.reshape(len(truth), -1) for each in outputs]).astype(np.float64)
    y = truth.arr_delay.to_numpy(np.float64)
    found = []
    for grain, date, rows in windows(truth):
        for place, (target, level) in enumerate(levels.items()):
            of_target = {
                **of_regression(y[rows], said[rows, place]),
                'quantile': level,
                'pinball_loss': metrics.mean_pinball_loss(y[rows], said[rows, place], alpha=level),
                'coverage': (y[rows] <= said[rows, place]).mean(),
            }
            found.append({'grain': grain, 'date': date, 'target': target, 'n': int(rows.sum()), 'values': of_target})
            if level == 0.5:
                inside = (said[rows, 0] <= y[rows]) & (y[rows] <= said[rows, -1])
                own = {'interval_coverage': inside.mean(), 'interval_level': max(levels.values()) - min(levels.values())}
                found.append({'grain': grain, 'date': date, 'target': None, 'n': int(rows.sum()), 'values': of_target | own})
    return stored(name, truth, {'arr_delay': y}, said, found)


def stored(name: str, truth: pd.DataFrame, columns: dict[str, np.ndarray], said: np.ndarray, found: list[dict]) -> dict:
    rows = [
        {
            'flight_id': int(row.flight_id),
            'date': row.date,
            'truth': {column: None if np.isnan(values[n]) else values[n] for column, values in columns.items()},
            'said': said[n].tolist(),
        }
        for n, row in enumerate(truth.itertuples())
    ]
    return {'name': name, 'rows': rows, 'golden': found}


def line(value) -> str:
    return json.dumps(value, allow_nan=False, separators=(',', ':'), default=lambda x: x.item())


if __name__ == '__main__':
    kept = [quantiles('boosted_quantiles', {'q0_1': 0.1, 'q0_5': 0.5, 'q0_9': 0.9})]
    text = ',\n'.join(
        f'{{"name":"{model["name"]}","rows":[\n'
        + ',\n'.join(line(row) for row in model['rows'])
        + '\n],"golden":[\n'
        + ',\n'.join(line(one) for one in model['golden'])
        + '\n]}'
        for model in kept
    )
    (HERE / 'values.json').write_text(f'[\n{text}\n]\n')
