"""LightGBM, XGBoost and CatBoost, each by its usual export."""

import re
import tempfile
from pathlib import Path

import numpy as np
import onnx
from catboost import CatBoostClassifier, CatBoostRegressor
from feature_names import name_features
from lightgbm import Booster, LGBMClassifier, LGBMRanker, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm as lightgbm_converter
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost as xgboost_converter
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor, XGBRFRegressor

import tables
from case import TOLERANCE, Case, versioned
from sklearn_cases import answers

SMALL = dict(n_estimators=8, max_depth=4)
EXPORTS = {
    'lightgbm': (convert_lightgbm, 'convert_lightgbm(model, initial_types=[…])'),
    'lightgbm_arrays': (
        lambda *args, **more: convert_lightgbm(*args, zipmap=False, **more),
        'convert_lightgbm(model, initial_types=[…], zipmap=False)',
    ),
    'lightgbm_exact': (
        lambda model, **more: convert_lightgbm(rounded_down(model), **more),
        'convert_lightgbm(rounded_down(model), initial_types=[…])',
    ),
    'xgboost': (convert_xgboost, 'convert_xgboost(model, initial_types=[…])'),
}


def made(name, model, table, kind, *, via, truth=None, fit=None, answer=answers, names=None, **more):
    def make():
        given = table()
        target = np.asarray(given.truth if truth is None else truth(given.truth))
        model.fit(given.learned, target, **({} if fit is None else fit(given)))
        exported, call = export(model, given, via)
        name_features(exported, given.names)
        labels = [str(label) for label in model.classes_] if kind in ('binary', 'multiclass', 'margins') else []
        package = via.split('_')[0]
        return Case(
            name=name,
            framework=versioned(package),
            exporter=versioned('onnxmltools') if package != 'catboost' else '',
            estimator=more.get('estimator', type(model).__name__),
            export=call,
            kind=kind,
            model=exported,
            rows=given.rows,
            types=given.types,
            answers=answer(model, given.scored, kind),
            names=labels if names is None else names,
            deploy=more.get('deploy', {}),
            tolerance=more.get('tolerance', TOLERANCE),
            differs=more.get('differs', ''),
        )

    return make


def export(model, table, via):
    if via == 'catboost':
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'model.onnx')
            model.save_model(str(path), format='onnx')
            return onnx.load(path), "model.save_model('model.onnx', format='onnx')"
    convert, call = EXPORTS[via]
    return convert(model, initial_types=[('X', FloatTensorType([None, len(table.names)]))], target_opset=15), call


def rounded_down(model):
    """With thresholds that float32 has; a float32 is on the same side of them as before."""

    def down(threshold):
        near = np.float32(threshold)
        return float(near if float(near) <= float(threshold) else np.nextafter(near, np.float32(-np.inf)))

    def rewritten(line):
        return 'threshold=' + ' '.join(repr(down(threshold)) for threshold in line[1].split())

    text = re.sub(r'^threshold=(.*)$', rewritten, model.booster_.model_to_string(), flags=re.MULTILINE)
    return Booster(model_str=re.sub(r'^tree_sizes=.*\n', '', text, flags=re.MULTILINE))


def codes(truth):
    return truth.astype('category').cat.codes


def queries(table):
    return {'group': [len(table.known) // 10] * 9 + [len(table.known) - 9 * (len(table.known) // 10)]}


def in_pipeline(name, model, table, converter, alias):
    """A boosted classifier as the last part of a scikit-learn pipeline."""

    def make():
        given = table()
        update_registered_converter(
            type(model),
            alias,
            calculate_linear_classifier_output_shapes,
            converter,
            options={'nocl': [True, False], 'zipmap': [True, False, 'columns']},
        )
        pipeline = make_pipeline(StandardScaler(), model)
        pipeline.fit(given.learned, codes(given.truth))
        exported = to_onnx(pipeline, given.learned[:1], options={id(model): {'zipmap': False}}, target_opset={'': 15, 'ai.onnx.ml': 2})
        name_features(exported, given.names)
        return Case(
            name=name,
            framework=versioned('scikit-learn', 'lightgbm' if 'LGBM' in alias else 'xgboost'),
            exporter=versioned('skl2onnx', 'onnxmltools'),
            estimator=f'StandardScaler, {type(model).__name__}',
            export='update_registered_converter(…), to_onnx(model, F[:1])',
            kind='multiclass',
            model=exported,
            rows=given.rows,
            types=given.types,
            answers=answers(pipeline, given.scored, 'multiclass'),
            names=[str(label) for label in pipeline.classes_],
        )

    return make


def several_quantiles(model, scored, _):
    return {'values': model.predict(scored)}


def multilabel(model, scored, _):
    return {'probabilities': model.predict_proba(scored), 'labels': np.asarray(model.predict(scored)).astype(int)}


LGBM = dict(n_estimators=8, num_leaves=8, verbose=-1, random_state=7)
CAT = dict(iterations=8, depth=3, verbose=False, random_seed=7, allow_writing_files=False)
gaps = lambda: tables.flight_numbers(True)  # noqa: E731
CASES = {
    'lightgbm_two': made('lightgbm_two', LGBMClassifier(**LGBM), gaps, 'binary', via='lightgbm', truth=codes),
    'lightgbm_arrays': made('lightgbm_arrays', LGBMClassifier(**LGBM), tables.cancer, 'binary', via='lightgbm_arrays'),
    'lightgbm_several': made(
        'lightgbm_several',
        LGBMClassifier(**LGBM),
        tables.iris,
        'multiclass',
        via='lightgbm',
        truth=codes,
        differs='the export rounds thresholds to float32, upwards too',
    ),
    'lightgbm_exact': made(
        'lightgbm_exact',
        LGBMClassifier(**LGBM),
        tables.iris,
        'multiclass',
        via='lightgbm_exact',
        truth=codes,
        estimator='LGBMClassifier with thresholds rounded down',
    ),
    'lightgbm_value': made('lightgbm_value', LGBMRegressor(**LGBM), tables.diabetes, 'regression', via='lightgbm'),
    'lightgbm_dart': made(
        'lightgbm_dart',
        LGBMRegressor(boosting_type='dart', **LGBM),
        tables.diabetes,
        'regression',
        via='lightgbm',
        estimator="LGBMRegressor(boosting_type='dart')",
    ),
    'lightgbm_poisson': made(
        'lightgbm_poisson',
        LGBMRegressor(objective='poisson', **LGBM),
        tables.diabetes,
        'regression',
        via='lightgbm',
        estimator="LGBMRegressor(objective='poisson')",
    ),
    'lightgbm_quantile': made(
        'lightgbm_quantile',
        LGBMRegressor(objective='quantile', alpha=0.9, **LGBM),
        tables.diabetes,
        'regression',
        via='lightgbm',
        estimator="LGBMRegressor(objective='quantile')",
    ),
    'lightgbm_ranker': made(
        'lightgbm_ranker', LGBMRanker(**LGBM), tables.wine, 'regression', via='lightgbm', fit=queries, deploy={'task': 'regression'}
    ),
    'lightgbm_pipeline': in_pipeline(
        'lightgbm_pipeline', LGBMClassifier(**LGBM), tables.wine, lightgbm_converter, 'LightGbmLGBMClassifier'
    ),
    'xgboost_two': made('xgboost_two', XGBClassifier(**SMALL), gaps, 'binary', via='xgboost', truth=codes),
    'xgboost_several': made('xgboost_several', XGBClassifier(**SMALL), tables.wine, 'multiclass', via='xgboost'),
    'xgboost_value': made('xgboost_value', XGBRegressor(**SMALL), tables.diabetes, 'regression', via='xgboost'),
    'xgboost_poisson': made(
        'xgboost_poisson',
        XGBRegressor(objective='count:poisson', **SMALL),
        tables.diabetes,
        'regression',
        via='xgboost',
        estimator="XGBRegressor(objective='count:poisson')",
    ),
    'xgboost_quantile': made(
        'xgboost_quantile',
        XGBRegressor(objective='reg:quantileerror', quantile_alpha=0.9, **SMALL),
        tables.diabetes,
        'regression',
        via='xgboost',
        estimator="XGBRegressor(objective='reg:quantileerror')",
    ),
    'xgboost_quantiles': made(
        'xgboost_quantiles',
        XGBRegressor(objective='reg:quantileerror', quantile_alpha=[0.1, 0.5, 0.9], **SMALL),
        tables.diabetes,
        'quantiles',
        via='xgboost',
        answer=several_quantiles,
        names=['0.1', '0.5', '0.9'],
        estimator='XGBRegressor(quantile_alpha=[0.1, 0.5, 0.9])',
        differs='the export puts all trees into the first column',
    ),
    'xgboost_targets': made(
        'xgboost_targets',
        XGBRegressor(**SMALL),
        tables.climate,
        'multi_target',
        via='xgboost',
        names=['temp', 'dewp', 'humid'],
        estimator='XGBRegressor of several targets',
        differs='the export puts all trees into the first column',
    ),
    'xgboost_forest_value': made('xgboost_forest_value', XGBRFRegressor(**SMALL), tables.diabetes, 'regression', via='xgboost'),
    'xgboost_pipeline': in_pipeline('xgboost_pipeline', XGBClassifier(**SMALL), tables.wine, xgboost_converter, 'XGBoostXGBClassifier'),
    'catboost_two': made('catboost_two', CatBoostClassifier(**CAT), tables.cancer, 'binary', via='catboost'),
    'catboost_gaps': made(
        'catboost_gaps',
        CatBoostClassifier(**CAT),
        gaps,
        'binary',
        via='catboost',
        truth=codes,
        deploy={'nulls': 'nan'},
        estimator='CatBoostClassifier with NULLs',
    ),
    'catboost_several': made('catboost_several', CatBoostClassifier(**CAT), tables.wine, 'multiclass', via='catboost'),
    'catboost_value': made('catboost_value', CatBoostRegressor(**CAT), tables.diabetes, 'regression', via='catboost'),
    'catboost_quantile': made(
        'catboost_quantile',
        CatBoostRegressor(loss_function='Quantile:alpha=0.9', **CAT),
        tables.diabetes,
        'regression',
        via='catboost',
        estimator="CatBoostRegressor(loss_function='Quantile')",
    ),
    'catboost_labels': made(
        'catboost_labels',
        CatBoostClassifier(loss_function='MultiLogloss', **CAT),
        tables.hazards,
        'multilabel',
        via='catboost',
        answer=multilabel,
        names=['windy', 'wet', 'foggy'],
        estimator="CatBoostClassifier(loss_function='MultiLogloss')",
        differs='the export gives a softmax',
    ),
}
