"""The framework's predictions as the columns that a test compares with."""

import numpy as np
import pandas as pd


def classes(labels: list[str], predicted, probabilities: np.ndarray, positive: str | None = None) -> pd.DataFrame:
    """`probabilities` is [rows, classes] in the order of `labels`; of two classes, `positive` gives the score."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    score = probabilities.max(axis=1) if positive is None else probabilities[:, labels.index(positive)]
    columns = {f'expected_probability_{label}': probabilities[:, index] for index, label in enumerate(labels)}
    return pd.DataFrame({'expected_label': [str(label) for label in predicted], 'expected_score': score, **columns})


def values(predictions: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({'expected_value': np.asarray(predictions, dtype=np.float64).ravel()})
