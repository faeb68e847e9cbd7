"""Trains every test, demo and benchmark model again and writes the manifest, models.json."""

import json

import train_bench
import train_catboost
import train_demo
import train_iris
import train_lightgbm
import train_networks
import train_pytorch
import train_sklearn
import train_ties
import train_typed_inputs
import train_xgboost
from golden import TOLERANCE
from paths import TEST_MODELS

TRAINERS = [
    train_demo,
    train_sklearn,
    train_ties,
    train_iris,
    train_xgboost,
    train_lightgbm,
    train_catboost,
    train_pytorch,
    train_typed_inputs,
    train_bench,
    train_networks,
]


def main() -> None:
    models = [entry for trainer in TRAINERS for entry in trainer.train()]
    (TEST_MODELS / 'models.json').write_text(json.dumps({'tolerance': TOLERANCE, 'models': models}, indent=2) + '\n')


if __name__ == '__main__':
    main()
