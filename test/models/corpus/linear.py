"""Linear models, Bayes, neighbours, vector machines and networks of scikit-learn, of one matrix each."""

from sklearn import discriminant_analysis, gaussian_process, linear_model, naive_bayes, neighbors, neural_network, svm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import tables
from sklearn_cases import matrix

NO_ZIPMAP = {'zipmap': False}


def binary(name, model, table=tables.cancer, **more):
    return lambda: matrix(name, model, table(), kind='binary', **more)


def several(name, model, table=tables.iris, **more):
    return lambda: matrix(name, model, table(), kind='multiclass', **more)


def number(name, model, table=tables.diabetes, **more):
    return lambda: matrix(name, model, table(), kind='regression', **more)


def scaled(model, scaler=StandardScaler):
    return make_pipeline(scaler(), model)


def last(name, build, make, estimator, **more):
    """A pipeline whose options, if any, are those of its last part."""
    return build(name, make, estimator=estimator, **more)


MLP = dict(hidden_layer_sizes=(8, 4), max_iter=300, random_state=7)
CASES = {
    'logistic': binary('logistic', linear_model.LogisticRegression(max_iter=2000)),
    'logistic_arrays': binary('logistic_arrays', linear_model.LogisticRegression(max_iter=2000), options=NO_ZIPMAP, named=False),
    'logistic_columns': binary('logistic_columns', linear_model.LogisticRegression(max_iter=2000), options={'zipmap': 'columns'}),
    'logistic_several': several('logistic_several', linear_model.LogisticRegression(max_iter=500)),
    'logistic_wine': several(
        'logistic_wine', scaled(linear_model.LogisticRegression()), tables.wine, estimator='StandardScaler, LogisticRegression'
    ),
    'logistic_double': several('logistic_double', linear_model.LogisticRegression(max_iter=500), options=NO_ZIPMAP, double=True),
    'logistic_cv': several('logistic_cv', linear_model.LogisticRegressionCV(Cs=3, max_iter=500)),
    'sgd_log': binary(
        'sgd_log', scaled(linear_model.SGDClassifier(loss='log_loss', random_state=7)), estimator="SGDClassifier(loss='log_loss')"
    ),
    'gaussian_bayes': several('gaussian_bayes', naive_bayes.GaussianNB()),
    'bernoulli_bayes': several('bernoulli_bayes', naive_bayes.BernoulliNB(binarize=8.0), tables.digits, estimator='BernoulliNB'),
    'multinomial_bayes': several('multinomial_bayes', naive_bayes.MultinomialNB(), tables.digits, options=NO_ZIPMAP, double=True),
    'complement_bayes': several('complement_bayes', naive_bayes.ComplementNB(), tables.digits, options=NO_ZIPMAP, double=True),
    'linear_discriminant': several('linear_discriminant', discriminant_analysis.LinearDiscriminantAnalysis()),
    'quadratic_discriminant': several('quadratic_discriminant', discriminant_analysis.QuadraticDiscriminantAnalysis()),
    'neighbours': several('neighbours', neighbors.KNeighborsClassifier(5)),
    'vector_machine': several('vector_machine', svm.SVC(probability=True, random_state=7), estimator='SVC(probability=True)'),
    'vector_machine_two': binary(
        'vector_machine_two', scaled(svm.SVC(probability=True, random_state=7)), estimator='SVC(probability=True)'
    ),
    'nu_vector_machine': several('nu_vector_machine', svm.NuSVC(probability=True, random_state=7), estimator='NuSVC(probability=True)'),
    'mlp_relu': binary('mlp_relu', scaled(neural_network.MLPClassifier(**MLP)), estimator='MLPClassifier(relu)'),
    'mlp_tanh': several(
        'mlp_tanh', scaled(neural_network.MLPClassifier(activation='tanh', **MLP)), tables.wine, estimator='MLPClassifier(tanh)'
    ),
    'mlp_logistic': several(
        'mlp_logistic', scaled(neural_network.MLPClassifier(activation='logistic', **MLP)), estimator='MLPClassifier(logistic)'
    ),
    'mlp_value': number('mlp_value', neural_network.MLPRegressor(**MLP), estimator='MLPRegressor'),
    'linear': number('linear', linear_model.LinearRegression()),
    'linear_double': number('linear_double', linear_model.LinearRegression(), double=True),
    'ridge': number('ridge', linear_model.Ridge(), named=False),
    'ridge_cv': number('ridge_cv', linear_model.RidgeCV()),
    'lasso': number('lasso', linear_model.Lasso(0.1)),
    'lasso_lars': number('lasso_lars', linear_model.LassoLars(0.1)),
    'elastic_net': number('elastic_net', linear_model.ElasticNet(0.01)),
    'bayesian_ridge': number('bayesian_ridge', linear_model.BayesianRidge()),
    'relevance': number('relevance', linear_model.ARDRegression()),
    'huber': number('huber', linear_model.HuberRegressor(max_iter=500)),
    'lars': number('lars', linear_model.Lars()),
    'pursuit': number('pursuit', linear_model.OrthogonalMatchingPursuit()),
    'theil_sen': number('theil_sen', linear_model.TheilSenRegressor(random_state=7)),
    'ransac': number('ransac', linear_model.RANSACRegressor(random_state=7)),
    'poisson': number('poisson', linear_model.PoissonRegressor()),
    'gamma': number('gamma', linear_model.GammaRegressor()),
    'tweedie': number('tweedie', linear_model.TweedieRegressor(power=1.5)),
    'quantile': number('quantile', linear_model.QuantileRegressor(quantile=0.5, alpha=0.01), estimator='QuantileRegressor'),
    'sgd_value': number('sgd_value', linear_model.SGDRegressor(random_state=7)),
    'vector_value': number('vector_value', svm.SVR(C=10)),
    'linear_vector_value': number('linear_vector_value', svm.LinearSVR(C=10, max_iter=5000)),
    'nu_vector_value': number('nu_vector_value', svm.NuSVR(C=10)),
    'neighbours_value': number('neighbours_value', neighbors.KNeighborsRegressor(5)),
    'process_value': number('process_value', gaussian_process.GaussianProcessRegressor(alpha=1.0), double=True),
    'min_max': number('min_max', scaled(linear_model.Ridge(), MinMaxScaler), estimator='MinMaxScaler, Ridge'),
}
