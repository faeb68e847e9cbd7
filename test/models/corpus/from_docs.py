"""Models that the export() of the guide writes, taken from the page as it stands."""

import re
import tempfile
from pathlib import Path

import onnx
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

import tables
from case import Case
from sklearn_cases import EXPORTER, FRAMEWORK, answers, classes_of

HERE = Path(__file__).parent
PAGE = Path(__file__).parents[3] / 'docs' / 'guides' / 'deploy-a-model.md'


def exporter():
    code = next(block for block in re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL) if 'def export(' in block)
    names = {}
    exec(code, names)
    return names['export']


def made(name, model, table, kind, *, estimator, targets=(), **options):
    def make():
        given = table()
        frame, rows = given.known[given.names], given.rows[given.names]
        model.fit(frame, given.truth)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'model.onnx')
            exporter()(model, frame, path, rows=50, targets=list(targets), **options)
            exported = onnx.load(path)
            (HERE / f'{name}.rows.csv').write_text(Path(f'{path}.csv').read_text())
        return Case(
            name=name,
            framework=FRAMEWORK,
            exporter=EXPORTER,
            estimator=estimator,
            export="export(model, X, 'model.onnx')",
            kind=kind,
            model=exported,
            rows=given.rows,
            types=given.types,
            answers=answers(model, rows, kind),
            names=list(targets) or classes_of(model, kind),
        )

    return make


def pipeline():
    table = tables.penguins()
    wide = [name for name in table.names if table.types[name] not in ('text', 'varchar(10)')]
    transformer = make_column_transformer((StandardScaler(), wide), (OneHotEncoder(handle_unknown='ignore'), ["island's name", 'Sex']))
    return make_pipeline(transformer, LogisticRegression(max_iter=1000))


CASES = {
    'guide_columns': made('guide_columns', pipeline(), tables.penguins, 'multiclass', estimator='ColumnTransformer, LogisticRegression'),
    'guide_gaps': made(
        'guide_gaps',
        HistGradientBoostingClassifier(max_iter=6),
        lambda: tables.flight_numbers(True),
        'binary',
        estimator='HistGradientBoostingClassifier',
    ),
    'guide_value': made(
        'guide_value',
        RandomForestRegressor(6, max_depth=4, random_state=7),
        tables.diabetes,
        'regression',
        estimator='RandomForestRegressor',
    ),
    'guide_targets': made(
        'guide_targets', Ridge(), tables.climate, 'multi_target', targets=['temp', 'dewp', 'humid'], estimator='Ridge of several targets'
    ),
    'guide_margins': made('guide_margins', SVC(), tables.iris, 'margins', estimator='SVC'),
}
