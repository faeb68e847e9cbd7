"""Trains every test, demo and benchmark model again and writes the manifest, models.json."""

import json

import train_bench
import train_demo
import train_iris
from paths import TEST_MODELS

TRAINERS = [train_demo, train_iris, train_bench]


def main() -> None:
    models = [entry for trainer in TRAINERS for entry in trainer.train()]
    (TEST_MODELS / 'models.json').write_text(json.dumps({'tolerance': 1e-5, 'models': models}, indent=2) + '\n')


if __name__ == '__main__':
    main()
