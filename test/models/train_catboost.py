"""CatBoost through its own export: splits send NaN the right way, although missing_value_tracks_true stays 0."""

import catboost

import expected
from delay_task import KEY, LATE, NUMBERS, history, matrix
from flights import demo_flights
from golden import Golden, keep
from paths import TEST_MODELS
from sample import with_gaps


def train() -> list[dict]:
    model = catboost.CatBoostClassifier(iterations=40, depth=5, random_seed=7, verbose=False, allow_writing_files=False)
    model.fit(matrix(history()), history().was_late.astype(int))
    path = TEST_MODELS / 'catboost.onnx'
    model.save_model(
        str(path), format='onnx', export_parameters={'onnx_domain': 'ai.catboost', 'onnx_graph_name': 'delay'}
    )
    rows = with_gaps(demo_flights(), list(NUMBERS))
    values = matrix(rows)
    return [
        keep(
            Golden(
                name='catboost',
                path=path,
                framework=f'catboost {catboost.__version__}',
                rows=rows,
                types=KEY | NUMBERS,
                expected=expected.classes(LATE, model.predict(values), model.predict_proba(values), positive='1'),
                task='binary',
                class_labels=LATE,
                deploy={'features': list(NUMBERS), 'nulls': 'nan'},
            )
        )
    ]
