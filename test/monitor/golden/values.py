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
from make_values import FEATURES, LABELS, TARGETS, labels_of  # noqa: E402

DAYS = ['2026-03-02', '2026-03-03', '2026-03-04']


def matrix(output) -> np.ndarray:
    """Probabilities as [rows, labels], of a ZipMap or of a pair for each label, too."""
    if isinstance(output, list):
        return np.array([[row[label] for label in sorted(row)] for row in output], np.float32)
    return output[:, :, 1].T if output.ndim == 3 else output


def scored(name: str) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The rows of a model with their truth, and its outputs."""
    rows = pd.read_csv(MODELS / 'values' / f'{name}.csv.gz')
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(str(MODELS / 'values' / f'{name}.onnx'))
    given, name_of_input = rows[FEATURES].to_numpy(np.float32), session.get_inputs()[0].name
    # Trees one by one: of a batch, the runtime may add them up in another order.
    batches = np.split(given, len(given)) if name in ('boosted_quantiles', 'trees_targets') else [given]
    each = [[matrix(output) for output in session.run(None, {name_of_input: batch})] for batch in batches]
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


def with_gaps(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same, without the first value of every seventh row."""
    first = next(iter(columns))
    gaps = np.arange(len(columns[first])) % 7 == 6
    return columns | {first: np.where(gaps, np.nan, columns[first])}


def targets(name: str) -> dict:
    truth, outputs = scored(name)
    said = np.column_stack([each.reshape(len(truth), -1) for each in outputs]).astype(np.float64)
    columns = with_gaps({target: truth[target].to_numpy(np.float64) for target in TARGETS})
    found = []
    for grain, date, rows in windows(truth):
        for place, (target, y) in enumerate(columns.items()):
            known = rows & ~np.isnan(y)
            values = of_regression(y[known], said[known, place])
            found.append({'grain': grain, 'date': date, 'target': target, 'n': int(known.sum()), 'values': values})
    return stored(name, truth, columns, said, found)


def of_label(y: np.ndarray, said: np.ndarray, p: np.ndarray | None) -> dict:
    values = {
        'accuracy': metrics.accuracy_score(y, said),
        'precision_score': metrics.precision_score(y, said, zero_division=np.nan),
        'recall_score': metrics.recall_score(y, said, zero_division=np.nan),
        'f1_score': metrics.f1_score(y, said, zero_division=np.nan),
        'balanced_accuracy': metrics.balanced_accuracy_score(y, said),
    }
    if p is not None:
        values |= {
            'roc_auc': metrics.roc_auc_score(y, p),
            'brier_score': metrics.brier_score_loss(y, p),
            'log_loss': metrics.log_loss(y, p, labels=[0, 1]),
        }
    return {metric: value for metric, value in values.items() if not np.isnan(value)}


def labels(name: str) -> dict:
    truth, outputs = scored(name)
    applied = next(each for each in outputs if each.dtype == np.int64)
    shares = next((each.astype(np.float64) for each in outputs if each.dtype == np.float32), None)
    columns = with_gaps(dict(zip(LABELS, labels_of(truth).T.astype(np.float64), strict=True)))
    found = []
    for grain, date, rows in windows(truth):
        for place, (label, y) in enumerate(columns.items()):
            known = rows & ~np.isnan(y)
            values = of_label(y[known], applied[known, place], None if shares is None else shares[known, place])
            found.append({'grain': grain, 'date': date, 'target': label, 'n': int(known.sum()), 'values': values})
        matrix = np.column_stack(list(columns.values()))
        full = rows & ~np.isnan(matrix).any(axis=1)
        values = {'subset_accuracy': metrics.accuracy_score(matrix[full].astype(int), applied[full])}
        found.append({'grain': grain, 'date': date, 'target': None, 'n': int(rows.sum()), 'values': values})
    said = applied.astype(np.float64) if shares is None else np.column_stack([shares, applied])
    return stored(name, truth, columns, said, found)


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
    kept = [
        quantiles('boosted_quantiles', {'q0_1': 0.1, 'q0_5': 0.5, 'q0_9': 0.9}),
        *(targets(name) for name in ('linear_targets', 'trees_targets')),
        *(labels(name) for name in ('one_vs_rest', 'neighbours_labels', 'labels_alone')),
    ]
    text = ',\n'.join(
        f'{{"name":"{model["name"]}","rows":[\n'
        + ',\n'.join(line(row) for row in model['rows'])
        + '\n],"golden":[\n'
        + ',\n'.join(line(one) for one in model['golden'])
        + '\n]}'
        for model in kept
    )
    (HERE / 'values.json').write_text(f'[\n{text}\n]\n')
