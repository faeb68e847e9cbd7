"""Pipelines of scikit-learn: columns of all types with awkward names, NULLs, texts, and each usual transformer."""

from sklearn import preprocessing as pre
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline

import tables
from linear import NO_ZIPMAP, binary, number, several
from sklearn_cases import FloatTensorType, columns

NUMBERS = ['distance', 'departure_hour', 'weekday', 'temp', 'wind_speed', 'pressure', 'seats']
TEXTS = ['carrier', 'origin']


def logistic():
    return LogisticRegression(max_iter=1000)


def floats(names):
    return dict.fromkeys(names, FloatTensorType)


def flights(name, transformer, final, *, gaps=False, estimator, kind='binary', **more):
    def make():
        table = tables.flights(gaps)
        if gaps:
            table = tables.Table(filled_texts(table.known), table.truth, filled_texts(table.rows), table.types)
        return columns(name, make_pipeline(transformer, final), table, kind=kind, estimator=estimator, tensors=floats(NUMBERS), **more)

    return make


def filled_texts(frame):
    return frame.assign(**{name: frame[name].fillna('unknown') for name in TEXTS})


def onehot():
    return pre.OneHotEncoder(handle_unknown='ignore')


def penguins(name, numbers, texts, final, estimator, kind='multiclass', **more):
    def make():
        table = tables.penguins()
        wide = [column for column, sql in table.types.items() if sql not in ('text', 'varchar(10)')]
        transformer = make_column_transformer((numbers, wide), (texts, ["island's name", 'Sex']))
        more.setdefault('deploy', {'features': table.names})
        return columns(name, make_pipeline(transformer, final), table, kind=kind, estimator=estimator, tensors=floats(wide), **more)

    return make


def on(name, transformer, build=several, final=None, table=None, **more):
    """The transformer before a linear model, over one matrix."""
    final = final if final is not None else (Ridge() if build is number else logistic())
    estimator = more.pop('estimator', f'{type(transformer).__name__}, {type(final).__name__}')
    given = {} if table is None else {'table': table}
    return build(name, make_pipeline(transformer, final), estimator=estimator, **given, **more)


def text(name, vectorizer, final, estimator):
    def make():
        table = tables.airports()
        transformer = ColumnTransformer([('words', vectorizer, 'name')])
        # ONNX Runtime has to find the locale en_US.UTF-8, skl2onnx's own choice, on the machine.
        keyed = {type(vectorizer): {'locale': 'C'}}
        export = f"to_onnx(model, initial_types=[…], options={{{type(vectorizer).__name__}: {{'locale': 'C'}}}})"
        return columns(name, make_pipeline(transformer, final), table, kind='multiclass', estimator=estimator, keyed=keyed, export=export)

    return make


CASES = {
    'columns_onehot': flights(
        'columns_onehot',
        make_column_transformer((pre.StandardScaler(), NUMBERS), (onehot(), TEXTS)),
        logistic(),
        estimator='ColumnTransformer(StandardScaler, OneHotEncoder), LogisticRegression',
    ),
    'columns_gaps': flights(
        'columns_gaps',
        make_column_transformer((make_pipeline(SimpleImputer(), pre.StandardScaler()), NUMBERS), (onehot(), TEXTS)),
        logistic(),
        gaps=True,
        estimator='ColumnTransformer(SimpleImputer, OneHotEncoder), LogisticRegression',
        options=NO_ZIPMAP,
    ),
    'columns_ordinal': flights(
        'columns_ordinal',
        make_column_transformer(
            ('passthrough', NUMBERS), (pre.OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1), TEXTS)
        ),
        RandomForestClassifier(n_estimators=8, max_depth=4, random_state=7),
        estimator='ColumnTransformer(OrdinalEncoder), RandomForestClassifier',
    ),
    'columns_indicator': flights(
        'columns_indicator',
        make_column_transformer((SimpleImputer(strategy='median', add_indicator=True), NUMBERS), (onehot(), TEXTS)),
        logistic(),
        gaps=True,
        estimator='SimpleImputer(add_indicator=True), LogisticRegression',
        differs='the export leaves the indicators out',
    ),
    'columns_target': flights(
        'columns_target',
        make_column_transformer((pre.StandardScaler(), NUMBERS), (pre.TargetEncoder(random_state=7), TEXTS)),
        logistic(),
        estimator='ColumnTransformer(TargetEncoder), LogisticRegression',
    ),
    'awkward_onehot': penguins(
        'awkward_onehot', pre.StandardScaler(), onehot(), logistic(), 'ColumnTransformer with awkward names, LogisticRegression'
    ),
    'awkward_renamed': penguins(
        'awkward_renamed',
        pre.RobustScaler(),
        onehot(),
        logistic(),
        'ColumnTransformer with awkward names that the exporter rewrote',
        deploy={},
    ),
    'awkward_forest': penguins(
        'awkward_forest',
        'passthrough',
        onehot(),
        RandomForestClassifier(n_estimators=8, max_depth=4, random_state=7),
        'ColumnTransformer with awkward names, RandomForestClassifier',
        options=NO_ZIPMAP,
    ),
    'robust': on('robust', pre.RobustScaler(), table=tables.wine),
    'max_abs': on('max_abs', pre.MaxAbsScaler(), number),
    'normalizer': on('normalizer', pre.Normalizer()),
    'binarizer': on('binarizer', pre.Binarizer(threshold=3.0), estimator='Binarizer, LogisticRegression'),
    'power': on('power', pre.PowerTransformer(), estimator='PowerTransformer, LogisticRegression'),
    'quantile_transform': on('quantile_transform', pre.QuantileTransformer(n_quantiles=20)),
    'bins_onehot': on('bins_onehot', pre.KBinsDiscretizer(4, encode='onehot-dense', quantile_method='averaged_inverted_cdf'), number),
    'bins_ordinal': on(
        'bins_ordinal',
        pre.KBinsDiscretizer(4, encode='ordinal', quantile_method='averaged_inverted_cdf'),
        estimator="KBinsDiscretizer(encode='ordinal'), LogisticRegression",
    ),
    'polynomial': on('polynomial', pre.PolynomialFeatures(2), number),
    'polynomial_scaled': on(
        'polynomial_scaled',
        make_pipeline(pre.StandardScaler(), pre.PolynomialFeatures(2)),
        estimator='StandardScaler, PolynomialFeatures, LogisticRegression',
    ),
    'components': on('components', PCA(3), table=tables.wine),
    'components_value': on('components_value', PCA(4), number),
    'singular': on('singular', TruncatedSVD(4), table=tables.digits, options=NO_ZIPMAP),
    'select_best': on('select_best', SelectKBest(k=5), binary),
    'variance': on('variance', VarianceThreshold(0.2), estimator='VarianceThreshold, LogisticRegression'),
    'union': on('union', FeatureUnion([('scaled', pre.StandardScaler()), ('pca', PCA(2))]), estimator='FeatureUnion, LogisticRegression'),
    'imputed': on(
        'imputed',
        SimpleImputer(),
        table=lambda: tables.penguin_numbers(True),
        final=RandomForestClassifier(n_estimators=5, max_depth=4, random_state=7),
    ),
    'grid_search': several(
        'grid_search', GridSearchCV(logistic(), {'C': [0.1, 1.0]}, cv=2), estimator='GridSearchCV(LogisticRegression())'
    ),
    'text_tfidf': text('text_tfidf', TfidfVectorizer(max_features=60), logistic(), 'TfidfVectorizer, LogisticRegression'),
    'text_counts': text('text_counts', CountVectorizer(max_features=60), MultinomialNB(), 'CountVectorizer, MultinomialNB'),
    'text_pairs': text(
        'text_pairs',
        TfidfVectorizer(max_features=60, ngram_range=(1, 2), lowercase=True),
        logistic(),
        'TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression',
    ),
}
del TransformedTargetRegressor
