"""Tree ensembles whose arrays contradict each other: loops, and reads past the end of the row."""

import onnx
from onnx import helper

from hostile import Hostile, hostile, model, score

# One split at node 0 with the leaves 1 and 2.
SOUND = {
    'nodes_treeids': [0, 0, 0],
    'nodes_nodeids': [0, 1, 2],
    'nodes_featureids': [0, 0, 0],
    'nodes_values': [0.5, 0.0, 0.0],
    'nodes_modes': ['BRANCH_LEQ', 'LEAF', 'LEAF'],
    'nodes_truenodeids': [1, 0, 0],
    'nodes_falsenodeids': [2, 0, 0],
    'target_treeids': [0, 0],
    'target_nodeids': [1, 2],
    'target_ids': [0, 0],
    'target_weights': [1.0, 2.0],
    'n_targets': 1,
}


def tree(**changed) -> onnx.ModelProto:
    node = helper.make_node('TreeEnsembleRegressor', ['X'], ['score'], domain='ai.onnx.ml', **(SOUND | changed))
    return model([node], outputs=[score()])


def linear(coefficients: int) -> onnx.ModelProto:
    node = helper.make_node(
        'LinearRegressor', ['X'], ['score'], domain='ai.onnx.ml', coefficients=[1.0] * coefficients, intercepts=[0.0]
    )
    return model([node], outputs=[score()])


def cases() -> list[Hostile]:
    return [
        hostile(
            'tree_endless',
            'a tree whose root is its own child',
            tree(nodes_truenodeids=[0, 0, 0], nodes_falsenodeids=[0, 0, 0]),
        ),
        hostile(
            'tree_feature_out_of_range',
            'a tree that reads feature 1,000,000 of 5',
            tree(nodes_featureids=[1_000_000, 0, 0]),
        ),
        hostile('tree_negative_feature', 'a tree that reads feature -1', tree(nodes_featureids=[-1, 0, 0])),
        hostile('tree_missing_child', 'a tree with a child that is not there', tree(nodes_falsenodeids=[7, 0, 0])),
        hostile('tree_target_out_of_range', 'a tree that adds to target 1,000 of 1', tree(target_ids=[0, 1_000])),
        hostile('tree_uneven_arrays', 'a tree with fewer thresholds than nodes', tree(nodes_values=[0.5])),
        hostile('linear_too_short', 'a linear model with fewer coefficients than the row has features', linear(3)),
    ]
