"""LightGBM through onnxmltools, whose default keeps ZipMap."""

import lightgbm
import onnxmltools
from onnxmltools.convert.common.data_types import FloatTensorType

import expected
from delay_task import KEY, LATE, NUMBERS, history, matrix
from flights import demo_flights
from golden import Golden, keep
from paths import TEST_MODELS
from sample import with_gaps


def train() -> list[dict]:
    model = lightgbm.LGBMClassifier(n_estimators=40, num_leaves=15, random_state=7, verbose=-1)
    model.fit(matrix(history()), history().was_late.astype(int))
    exported = onnxmltools.convert_lightgbm(model, initial_types=[('X', FloatTensorType([None, len(NUMBERS)]))])
    path = TEST_MODELS / 'lightgbm.onnx'
    path.write_bytes(exported.SerializeToString())
    rows = with_gaps(demo_flights(), list(NUMBERS))
    values = matrix(rows)
    return [
        keep(
            Golden(
                name='lightgbm',
                path=path,
                framework=f'lightgbm {lightgbm.__version__}',
                rows=rows,
                types=KEY | NUMBERS,
                expected=expected.classes(LATE, model.predict(values), model.predict_proba(values), positive='1'),
                task='binary',
                class_labels=LATE,
                deploy={'features': list(NUMBERS)},
            )
        )
    ]
