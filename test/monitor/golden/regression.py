"""What scikit-learn and numpy say of a regression."""

import numpy as np
from sklearn import metrics

from intervals import of_errors


def regression(rows):
    said, truth = np.array([p for p, _ in rows]), np.array([y for _, y in rows])
    error, n = said - truth, len(rows)
    not_zero = truth != 0
    absolute = np.abs(error)
    golden = {
        'mae': metrics.mean_absolute_error(truth, said),
        'rmse': metrics.root_mean_squared_error(truth, said),
        'bias': error.mean(),
        'r2': metrics.r2_score(truth, said, force_finite=False) if n > 1 else None,
        'mape': metrics.mean_absolute_percentage_error(truth[not_zero], said[not_zero]) if not_zero.any() else None,
        'n_zero_actual': int((~not_zero).sum()),
        'wape': absolute.sum() / np.abs(truth).sum() if not_zero.any() else None,
        'median_abs_error': metrics.median_absolute_error(truth, said),
        'p90_abs_error': np.quantile(absolute, 0.9),
        'max_abs_error': metrics.max_error(truth, said),
        'explained_variance': metrics.explained_variance_score(truth, said, force_finite=False) if n > 1 else None,
        'pinball_loss': metrics.mean_pinball_loss(truth, said, alpha=0.9),
        'msle': metrics.mean_squared_log_error(truth, said) if min(*truth, *said) > -1 else None,
        'actual_mean': truth.mean(),
    }
    (golden['mae_ci_low'], golden['mae_ci_high']), (golden['rmse_ci_low'], golden['rmse_ci_high']) = of_errors(error)
    return golden
