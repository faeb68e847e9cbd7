"""XGBoost through onnxmltools; missing values follow each split's default direction."""

import onnxmltools
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

import expected
from delay_task import KEY, LATE, NUMBERS, history, matrix
from feature_names import name_features
from flights import demo_flights
from golden import Golden, keep
from paths import TEST_MODELS
from sample import with_gaps


def train() -> list[dict]:
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=4, random_state=7)
    model.fit(matrix(history()), history().was_late.astype(int))
    exported = onnxmltools.convert_xgboost(model, initial_types=[('X', FloatTensorType([None, len(NUMBERS)]))])
    name_features(exported, list(NUMBERS))
    path = TEST_MODELS / 'xgboost.onnx'
    path.write_bytes(exported.SerializeToString())
    rows = with_gaps(demo_flights(), list(NUMBERS))
    values = matrix(rows)
    return [
        keep(
            Golden(
                name='xgboost',
                path=path,
                framework=f'xgboost {xgboost.__version__}',
                rows=rows,
                types=KEY | NUMBERS,
                expected=expected.classes(LATE, model.predict(values), model.predict_proba(values), positive='1'),
                task='binary',
                class_labels=LATE,
            )
        )
    ]
