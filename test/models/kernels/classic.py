"""Operators of ai.onnx.ml, which hold most of what they compute with in attributes."""

from nodes import Dice, Input, Node, Operators

CLASSIC = Operators()
made_by = CLASSIC.made_by


def rows(dice: Dice) -> tuple[int, int]:
    return dice.whole(1, 9), dice.size()


def numbers(dice: Dice, count: int) -> list[float]:
    return dice.random.uniform(-2, 2, count).tolist()


@made_by('ArrayFeatureExtractor')
def extractor(dice: Dice, op: str) -> Node:
    s, k = rows(dice)
    return Node([Input(dice.pick('f', 'd', 'i64', 's'), [s, k]), Input('i64', [dice.whole(1, 9)], (0, k))])


@made_by('LinearClassifier', 'LinearRegressor')
def linear(dice: Dice, op: str) -> Node:
    (s, k), given = rows(dice), dice.whole(1, 4)
    attributes = {'coefficients': numbers(dice, given * k), 'intercepts': numbers(dice, given)}
    attributes['post_transform'] = dice.pick('NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT')
    if op == 'LinearRegressor':
        return Node([Input('f', [s, k])], attributes | {'targets': given})
    labels = list(range(2 if given == 1 else given))
    return Node([Input(dice.pick('f', 'd', 'i64'), [s, k])], attributes | {'classlabels_ints': labels}, 2)


@made_by('Scaler', 'Imputer', 'Normalizer', 'Binarizer', 'OneHotEncoder', 'LabelEncoder')
def by_column(dice: Dice, op: str) -> Node:
    s, k = rows(dice)
    keys = list(range(dice.whole(1, 5)))
    forms = {
        'Scaler': {'offset': numbers(dice, k), 'scale': numbers(dice, dice.pick(1, k))},
        'Imputer': {'imputed_value_floats': numbers(dice, k), 'replaced_value_float': float('nan')},
        'Normalizer': {'norm': dice.pick('MAX', 'L1', 'L2')},
        'Binarizer': {'threshold': 0.5},
        'OneHotEncoder': {'cats_int64s': keys, 'zeros': dice.whole(0, 1)},
        'LabelEncoder': {'keys_int64s': keys, 'values_floats': numbers(dice, len(keys))},
    }
    return Node([Input('i64' if op in ('OneHotEncoder', 'LabelEncoder') else 'f', [s, k])], forms[op])


@made_by('SVMRegressor', 'SVMClassifier')
def support_vectors(dice: Dice, op: str) -> Node:
    (s, k), vectors, classes = rows(dice), dice.whole(2, 9), dice.whole(2, 4)
    attributes = {'kernel_type': dice.pick('LINEAR', 'POLY', 'RBF', 'SIGMOID'), 'kernel_params': [0.5, 0.1, 2.0]}
    if op == 'SVMRegressor':
        attributes |= {'support_vectors': numbers(dice, vectors * k), 'n_supports': vectors}
        attributes |= {'coefficients': numbers(dice, vectors), 'rho': numbers(dice, 1)}
        return Node([Input('f', [s, k])], attributes)
    each = [dice.whole(1, 3) for _ in range(classes)]
    pairs = classes * (classes - 1) // 2
    attributes |= {'support_vectors': numbers(dice, sum(each) * k), 'vectors_per_class': each}
    attributes |= {'coefficients': numbers(dice, sum(each) * (classes - 1)), 'rho': numbers(dice, pairs)}
    if dice.chance(0.5):
        attributes |= {'prob_a': numbers(dice, pairs), 'prob_b': numbers(dice, pairs)}
    return Node([Input('f', [s, k])], attributes | {'classlabels_ints': list(range(classes))}, 2)


@made_by('TreeEnsembleRegressor', 'TreeEnsembleClassifier')
def trees(dice: Dice, op: str) -> Node:
    """One split and two leaves a tree."""
    (s, k), count, given = rows(dice), dice.whole(1, 4), dice.whole(1, 3)
    attributes = {
        'nodes_treeids': [tree for tree in range(count) for _ in range(3)],
        'nodes_nodeids': [0, 1, 2] * count,
        'nodes_featureids': [feature for _ in range(count) for feature in (dice.whole(0, k - 1), 0, 0)],
        'nodes_modes': ['BRANCH_LEQ', 'LEAF', 'LEAF'] * count,
        'nodes_values': numbers(dice, 3 * count),
        'nodes_truenodeids': [1, 0, 0] * count,
        'nodes_falsenodeids': [2, 0, 0] * count,
    }
    part = 'class' if op == 'TreeEnsembleClassifier' else 'target'
    attributes[f'{part}_treeids'] = [tree for tree in range(count) for _ in range(2)]
    attributes[f'{part}_nodeids'] = [1, 2] * count
    attributes[f'{part}_ids'] = [dice.whole(0, given - 1) for _ in range(2 * count)]
    attributes[f'{part}_weights'] = numbers(dice, 2 * count)
    more = {'classlabels_int64s': list(range(given))} if part == 'class' else {'n_targets': given}
    return Node([Input(dice.pick('f', 'd'), [s, k])], attributes | more, 2 if part == 'class' else 1)
