"""Models of scikit-learn that give something else than a class with probabilities or one number."""

from sklearn import cluster, decomposition, ensemble, linear_model, mixture, multiclass, multioutput, neighbors, neural_network, svm, tree
from sklearn.cross_decomposition import PLSRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

import tables
from linear import MLP, NO_ZIPMAP, scaled
from sklearn_cases import matrix
from trees import SMALL

TARGETS = ['temp', 'dewp', 'humid']
HAZARDS = ['windy', 'wet', 'foggy']


def targets(name, model, table=tables.climate, **more):
    def make():
        names = [str(column) for column in table().truth]
        return matrix(name, model, table(), kind='multi_target', names=names, **more)

    return make


def labels(name, model, **more):
    return lambda: matrix(name, model, tables.hazards(), kind='multilabel', names=HAZARDS, **more)


def margins(name, model, table=tables.iris, **more):
    more = {'options': None if isinstance(model, svm.LinearSVR) else {'zipmap': False}, **more}
    return lambda: matrix(name, model, table(), kind='margins', **more)


def clusters(name, model, table=tables.penguin_numbers, **more):
    def answers(model, scored, _):
        label = model.predict(scored)
        if hasattr(model, 'predict_proba'):
            return {'label': label, 'score': model.predict_proba(scored).max(axis=1)}
        return {'label': label, 'score': model.transform(scored).min(axis=1)}

    def make():
        count = getattr(model, 'n_clusters', None) or getattr(model, 'n_components', None) or 3
        names = [str(index) for index in range(count)]
        return matrix(name, model, table(), kind='clustering', truth=None, names=names, answers=answers, **more)

    return make


def anomalies(name, model, table=tables.cancer, **more):
    def answers(model, scored, _):
        return {'label': model.predict(scored), 'score': -model.decision_function(scored)}

    return lambda: matrix(name, model, table(), kind='anomaly', answers=answers, **more)


def vectors(name, model, table=tables.wine, **more):
    return lambda: matrix(name, model, table(), kind='embedding', **more)


LINEAR = dict(max_iter=20_000, random_state=7)
CASES = {
    'targets_linear': targets('targets_linear', linear_model.LinearRegression()),
    'targets_exercise': targets('targets_exercise', linear_model.LinearRegression(), tables.linnerud),
    'targets_ridge': targets('targets_ridge', linear_model.Ridge(), double=True),
    'targets_lasso': targets('targets_lasso', linear_model.MultiTaskLasso(0.1)),
    'targets_elastic': targets('targets_elastic', linear_model.MultiTaskElasticNet(0.1)),
    'targets_partial': targets('targets_partial', PLSRegression(2)),
    'targets_tree': targets('targets_tree', tree.DecisionTreeRegressor(max_depth=4, random_state=7)),
    'targets_forest': targets('targets_forest', ensemble.RandomForestRegressor(**SMALL)),
    'targets_extra': targets('targets_extra', ensemble.ExtraTreesRegressor(**SMALL), named=False),
    'targets_neighbours': targets('targets_neighbours', neighbors.KNeighborsRegressor(5), tables.linnerud),
    'targets_mlp': targets('targets_mlp', scaled(neural_network.MLPRegressor(**MLP)), estimator='MLPRegressor'),
    'targets_several': targets('targets_several', multioutput.MultiOutputRegressor(linear_model.Ridge())),
    'labels_rest': labels('labels_rest', multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=2000)), options=NO_ZIPMAP),
    'labels_forest': labels('labels_forest', ensemble.RandomForestClassifier(**SMALL), options=NO_ZIPMAP),
    'labels_forest_maps': labels('labels_forest_maps', ensemble.ExtraTreesClassifier(**SMALL), broken=True),
    'labels_tree': labels(
        'labels_tree',
        tree.DecisionTreeClassifier(max_depth=4, random_state=7),
        options=NO_ZIPMAP,
        differs='the export gives the counts of the last label',
    ),
    'labels_neighbours': labels('labels_neighbours', neighbors.KNeighborsClassifier(5), options=NO_ZIPMAP),
    'labels_mlp': labels('labels_mlp', scaled(neural_network.MLPClassifier(**MLP)), options=None, estimator='MLPClassifier'),
    'labels_several': labels(
        'labels_several', multioutput.MultiOutputClassifier(linear_model.LogisticRegression(max_iter=2000)), options=NO_ZIPMAP
    ),
    'margins_svc': margins('margins_svc', svm.SVC()),
    'margins_svc_two': margins('margins_svc_two', svm.SVC(), tables.cancer),
    'margins_linear': margins('margins_linear', svm.LinearSVC(**LINEAR), options=None),
    'margins_linear_two': margins('margins_linear_two', svm.LinearSVC(**LINEAR), tables.cancer, options={'output_class_labels': False}),
    'margins_maps': margins('margins_maps', svm.LinearSVC(**LINEAR), tables.cancer, options=None),
    'margins_nu': margins('margins_nu', svm.NuSVC()),
    'margins_hinge': margins('margins_hinge', linear_model.SGDClassifier(random_state=7), estimator="SGDClassifier(loss='hinge')"),
    'margins_perceptron': margins('margins_perceptron', linear_model.Perceptron(random_state=7)),
    'margins_perceptron_two': margins('margins_perceptron_two', linear_model.Perceptron(random_state=7), tables.cancer),
    'margins_passive': margins('margins_passive', linear_model.PassiveAggressiveClassifier(random_state=7)),
    'margins_ridge': margins('margins_ridge', linear_model.RidgeClassifier()),
    'margins_ridge_two': margins('margins_ridge_two', linear_model.RidgeClassifier(), tables.cancer),
    'margins_one_vs_one': margins(
        'margins_one_vs_one', multiclass.OneVsOneClassifier(linear_model.LogisticRegression(max_iter=500)), whole=True
    ),
    'margins_vote': margins(
        'margins_vote', multiclass.OneVsRestClassifier(svm.LinearSVC(**LINEAR)), differs='the export gives other scores'
    ),
    'clusters_means': clusters('clusters_means', cluster.KMeans(3, random_state=7), tables.iris, double=True),
    'clusters_batches': clusters('clusters_batches', cluster.MiniBatchKMeans(3, random_state=7), tables.iris, double=True),
    'clusters_scaled': clusters(
        'clusters_scaled', make_pipeline(StandardScaler(), cluster.KMeans(3, random_state=7)), estimator='StandardScaler, KMeans'
    ),
    'clusters_mixture': clusters('clusters_mixture', mixture.GaussianMixture(3, random_state=7), tables.iris),
    'clusters_bayes': clusters('clusters_bayes', mixture.BayesianGaussianMixture(n_components=3, random_state=7), tables.iris),
    'anomalies_forest': anomalies(
        'anomalies_forest',
        ensemble.IsolationForest(n_estimators=10, random_state=7),
        opset={'': 18, 'ai.onnx.ml': 3},
        export="to_onnx(model, F[:1], target_opset={'': 18, 'ai.onnx.ml': 3})",
    ),
    'anomalies_svm': anomalies('anomalies_svm', svm.OneClassSVM(nu=0.1)),
    'anomalies_local': anomalies('anomalies_local', neighbors.LocalOutlierFactor(novelty=True, n_neighbors=5), tables.iris),
    'anomalies_sgd': anomalies('anomalies_sgd', linear_model.SGDOneClassSVM(random_state=7), tables.iris),
    'vectors_components': vectors(
        'vectors_components', make_pipeline(StandardScaler(), decomposition.PCA(3)), estimator='StandardScaler, PCA'
    ),
    'vectors_incremental': vectors('vectors_incremental', decomposition.IncrementalPCA(3)),
    'vectors_kernel': vectors('vectors_kernel', decomposition.KernelPCA(3, kernel='poly', degree=2), tables.iris),
    'vectors_singular': vectors('vectors_singular', decomposition.TruncatedSVD(5), tables.digits),
    'vectors_scaled': vectors('vectors_scaled', StandardScaler(), tables.iris),
    'vectors_projection': vectors('vectors_projection', GaussianRandomProjection(4, random_state=7), tables.digits),
}
