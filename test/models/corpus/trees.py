"""Trees and ensembles of scikit-learn."""

from sklearn import ensemble, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

import tables
from linear import NO_ZIPMAP, binary, number, several

SMALL = dict(n_estimators=8, max_depth=4, random_state=7)


def parts():
    return [('logistic', LogisticRegression(max_iter=2000)), ('bayes', GaussianNB())]


def values():
    return [('ridge', Ridge()), ('tree', tree.DecisionTreeRegressor(max_depth=3, random_state=7))]


CASES = {
    'tree': several('tree', tree.DecisionTreeClassifier(max_depth=4, random_state=7)),
    'tree_two': binary('tree_two', tree.DecisionTreeClassifier(max_depth=4, random_state=7), options=NO_ZIPMAP),
    'extra_tree': several('extra_tree', tree.ExtraTreeClassifier(max_depth=4, random_state=7)),
    'tree_value': number('tree_value', tree.DecisionTreeRegressor(max_depth=4, random_state=7)),
    'forest': several('forest', ensemble.RandomForestClassifier(**SMALL), tables.wine),
    'forest_two': binary('forest_two', ensemble.RandomForestClassifier(**SMALL), tables.flight_numbers, options=NO_ZIPMAP),
    'forest_value': number('forest_value', ensemble.RandomForestRegressor(**SMALL)),
    'extra_trees': several('extra_trees', ensemble.ExtraTreesClassifier(**SMALL)),
    'extra_trees_value': number('extra_trees_value', ensemble.ExtraTreesRegressor(**SMALL)),
    'boosted': binary('boosted', ensemble.GradientBoostingClassifier(**SMALL)),
    'boosted_several': several('boosted_several', ensemble.GradientBoostingClassifier(**SMALL), tables.wine),
    'boosted_value': number('boosted_value', ensemble.GradientBoostingRegressor(**SMALL)),
    'histogram': binary(
        'histogram', ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=7), lambda: tables.flight_numbers(True)
    ),
    'histogram_several': several(
        'histogram_several', ensemble.HistGradientBoostingClassifier(max_iter=6, max_leaf_nodes=8), lambda: tables.penguin_numbers(True)
    ),
    'histogram_value': number('histogram_value', ensemble.HistGradientBoostingRegressor(max_iter=8, max_leaf_nodes=8)),
    'adaboost': several('adaboost', ensemble.AdaBoostClassifier(n_estimators=5, random_state=7)),
    'adaboost_value': number('adaboost_value', ensemble.AdaBoostRegressor(n_estimators=5, random_state=7)),
    'bagging': several('bagging', ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3), n_estimators=5, random_state=7)),
    'bagging_value': number('bagging_value', ensemble.BaggingRegressor(Ridge(), n_estimators=5, random_state=7)),
    'voting_soft': several(
        'voting_soft',
        ensemble.VotingClassifier(parts(), voting='soft', flatten_transform=False),
        estimator="VotingClassifier(voting='soft')",
    ),
    'voting_value': number('voting_value', ensemble.VotingRegressor(values())),
    'stacking': binary('stacking', ensemble.StackingClassifier(parts(), LogisticRegression())),
    'stacking_several': several('stacking_several', ensemble.StackingClassifier(parts(), LogisticRegression(max_iter=500))),
    'stacking_value': number('stacking_value', ensemble.StackingRegressor(values(), Ridge())),
    'calibrated': binary(
        'calibrated', CalibratedClassifierCV(LogisticRegression(max_iter=2000), cv=2), estimator="CalibratedClassifierCV(method='sigmoid')"
    ),
    'calibrated_machine': several(
        'calibrated_machine', CalibratedClassifierCV(LinearSVC(random_state=7), cv=2), estimator='CalibratedClassifierCV(LinearSVC())'
    ),
    'one_vs_rest': several('one_vs_rest', OneVsRestClassifier(LogisticRegression(max_iter=500)), estimator='OneVsRestClassifier'),
}
