"""Decision scores without probabilities: of boosted trees, and of networks of a hinge loss, which return a label beside them."""

import keras_nets  # isort: skip  (chooses Keras' backend)
import keras
import numpy as np
import torch
from lightgbm import LGBMClassifier
from torch import nn
from xgboost import XGBClassifier

import nets
import tables
from boosting import LGBM, SMALL, made
from boosting import codes as numbered
from networks import SIMPLE, case, codes, dynamo, script

LAYERS = keras.layers


def flights_with_gaps():
    return tables.flight_numbers(True)


def penguins_with_gaps():
    return tables.penguin_numbers(True)


def machine(name, *, table, estimator, exporter=dynamo, middle=None, labelled=True):
    """A linear vector machine; with a `middle` a network of one."""

    def make():
        given = table()
        truth, classes = codes(given)
        torch.manual_seed(7)
        values = torch.from_numpy(given.learned)
        answers = 1 if len(classes) == 2 else len(classes)
        layers = [nn.Linear(values.shape[1], answers)] if middle is None else [nn.Linear(values.shape[1], 8), middle, nn.Linear(8, answers)]
        body = nn.Sequential(nets.Filled(values), *layers)
        nets.fit(body, (values,), lambda margins: hinge(margins, truth), rate=0.05)
        labelling = nets.Labelled(body).eval()
        label, margins = nets.answer(labelling, torch.from_numpy(given.scored))
        return case(
            name,
            labelling if labelled else body,
            given,
            'margins',
            meaning(label, margins, classes),
            exporter=exporter,
            outputs=['label', 'margin'] if labelled else ['margin'],
            names=classes,
            deploy={'class_labels': classes},
            estimator=estimator,
        )

    return make


def hinge(margins, truth):
    if margins.shape[1] > 1:
        return SIMPLE.multi_margin_loss(margins, truth)
    losses = (1 - margins.squeeze(1) * (2 * truth - 1)).clamp(min=0)
    return losses[truth == 0].mean() + losses[truth == 1].mean() + 0.001 * (margins**2).mean()


def meaning(label, margins, classes):
    given = margins.astype(np.float64)
    key = 'margin' if given.shape[1] == 1 else 'margins'
    return {'label': np.asarray(classes)[label.ravel()], key: given}


def keras_machine(name, *, table, estimator):
    def make():
        given = table()
        truth, classes = codes(given)
        keras.utils.set_random_seed(7)
        two = len(classes) == 2
        start = LAYERS.Input((len(given.names),))
        scaled = keras_nets.filled(start, given.learned)
        margin = LAYERS.Dense(1 if two else len(classes), kernel_regularizer='l2', name='margin')(scaled)
        learner = keras.Model(start, margin)
        learner.compile(optimizer=keras.optimizers.Adam(0.05), loss='hinge' if two else 'categorical_hinge')
        target = (2 * truth - 1).numpy().astype(np.float32)[:, None] if two else keras.utils.to_categorical(truth.numpy())
        learner.fit(given.learned, target, epochs=15, verbose=0)
        label = margin[:, 0] > 0 if two else keras.ops.argmax(margin, axis=-1)
        net = keras.Model(start, [keras.ops.cast(label, 'int64'), margin])
        label, margins = net.predict(given.scored, verbose=0)
        return keras_nets.case(
            name,
            net,
            given,
            'margins',
            meaning(label, margins, classes),
            names=classes,
            deploy={'class_labels': classes},
            estimator=estimator,
        )

    return make


def softmax_loss(truth, scores):
    """An objective of one's own, of as many scores as there are classes."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares - np.eye(scores.shape[1])[truth.astype(int)], 2 * shares * (1 - shares)


def raw_scores(model, scored, _):
    """Of an objective of one's own LightGBM gives scores alone; XGBoost gives those of multi:softmax where it is asked."""
    scores = model.predict(scored) if isinstance(model, LGBMClassifier) else model.predict(scored, output_margin=True)
    return {'label': model.classes_[scores.argmax(axis=1)], 'margins': scores}


CASES = {
    'xgboost_margins': made(
        'xgboost_margins',
        XGBClassifier(objective='multi:softmax', **SMALL),
        penguins_with_gaps,
        'margins',
        via='xgboost',
        truth=numbered,
        answer=raw_scores,
        estimator="XGBClassifier(objective='multi:softmax')",
    ),
    'xgboost_logits': made(
        'xgboost_logits',
        XGBClassifier(objective='multi:softmax', **SMALL),
        tables.wine,
        'multiclass',
        via='xgboost',
        deploy={'logits': True},
        tolerance=np.inf,
        estimator="XGBClassifier(objective='multi:softmax'), logits => true",
    ),
    'lightgbm_margins': made(
        'lightgbm_margins',
        LGBMClassifier(objective=softmax_loss, **LGBM),
        tables.digits,
        'margins',
        via='lightgbm_arrays',
        answer=raw_scores,
        estimator='LGBMClassifier(objective=softmax_loss)',
    ),
    'torch_machine': machine('torch_machine', table=tables.cancer, estimator='Linear of a hinge loss, with its label'),
    'torch_margin': machine('torch_margin', table=tables.cancer, labelled=False, estimator='Linear of a hinge loss'),
    'torch_machine_gaps': machine(
        'torch_machine_gaps', table=flights_with_gaps, exporter=script, estimator='Linear of a hinge loss, with its label'
    ),
    'torch_machine_several': machine(
        'torch_machine_several',
        table=penguins_with_gaps,
        middle=nn.ReLU(),
        estimator='ReLU of MultiMarginLoss, with its label',
    ),
    'keras_machine': keras_machine('keras_machine', table=tables.cancer, estimator="Dense of loss='hinge', with its label"),
    'keras_machine_several': keras_machine(
        'keras_machine_several', table=penguins_with_gaps, estimator="Dense of loss='categorical_hinge', with its label"
    ),
}
