"""Makes the fixtures beside this file: python make.py, in an environment with requirements.txt.

A set of rows (see sets.py) is a day, from Monday 2026-02-23 on, so that weeks and months are unions of days.
Undefined is null: zero_division=nan, force_finite=False, labels as declared, and NaN written as null.
"""

import datetime
import json
import math
import pathlib
import warnings

from binary import binary
from comparison import comparison
from class_estimates import class_days
from curves import curves
from estimates import estimates
from experiment import experiment
from drift import distances, drift_cases, p_values
from intervals import t_quantiles
from multiclass import multiclass
from regression import regression
from sets import binary_sets, multiclass_sets, regression_sets

FIRST = datetime.date(2026, 2, 23)


def plain(value):
    """A number of numpy as one of JSON; NaN as null."""
    if value is None or isinstance(value, (bool, str)):
        return value
    value = value.item() if hasattr(value, 'item') else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def window_of(day, grain):
    return {'day': day, 'week': day - datetime.timedelta(days=day.weekday()), 'month': day.replace(day=1)}[grain]


def fixture(task, sets):
    days = [FIRST + datetime.timedelta(days=n) for n in range(len(sets))]
    golden = []
    for grain in ('day', 'week', 'month'):
        for start in dict.fromkeys(window_of(day, grain) for day in days):
            rows = [
                row
                for day, (rows, _) in zip(days, sets.values(), strict=True)
                if window_of(day, grain) == start
                for row in rows
            ]
            values = {name: plain(value) for name, value in task(rows).items()} if rows else None
            golden.append({'grain': grain, 'window_date': str(start), 'n_labeled': len(rows), 'values': values})
    return {
        'days': [
            {'set': name, 'date': str(day), 'undefined_reason': reason, 'rows': rows}
            for day, (name, (rows, reason)) in zip(days, sets.items(), strict=True)
        ],
        'golden': golden,
    }


def curve_months(sets):
    days = [FIRST + datetime.timedelta(days=n) for n in range(len(sets))]
    months = dict.fromkeys(window_of(day, 'month') for day in days)
    for month in months:
        rows = [row for day, (rows, _) in zip(days, sets.values(), strict=True) if window_of(day, 'month') == month for row in rows]
        found = {name: [{key: plain(value) for key, value in point.items()} for point in points] for name, points in curves(rows).items()}
        yield {'window_date': str(month), **found}


def lines(value):
    """JSON with an item of each list of objects a line."""
    inner = ',\n'.join(
        f'"{name}": [\n'
        + ',\n'.join(json.dumps(item, allow_nan=False, separators=(',', ':')) for item in items)
        + '\n]'
        for name, items in value.items()
    )
    return '{' + inner + '}\n'


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    here = pathlib.Path(__file__).parent
    for task, sets in ((binary, binary_sets()), (multiclass, multiclass_sets()), (regression, regression_sets())):
        (here / f'{task.__name__}.json').write_text(lines(fixture(task, sets)))
    (here / 'estimates.json').write_text(lines(estimates()))
    (here / 'class_estimates.json').write_text(lines(class_days()))
    (here / 'curves.json').write_text(lines({'months': list(curve_months(binary_sets()))}))
    (here / 'comparison.json').write_text(lines(comparison()))
    (here / 'experiment.json').write_text(lines(experiment()))
    cases = [{'name': name, **case, 'values': {key: plain(value) for key, value in distances(case).items()}} for name, case in drift_cases().items()]
    (here / 'drift.json').write_text(lines({'cases': cases}))
    (here / 'p_values.json').write_text(lines(p_values()))
    (here / 't_quantiles.json').write_text(lines(t_quantiles()))
