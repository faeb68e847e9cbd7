"""Prints how the demo's models do in each month of demo/flights.csv.gz, as a monitor should find it."""

import onnxruntime
import pandas as pd
from sklearn.metrics import roc_auc_score

from agreement import run
from paths import DEMO, DEMO_MODELS
from train_demo import AIR_TIME, DELAY


def scores(model: str, features: pd.DataFrame):
    """The last output of the model: minutes, or the probability of the last class."""
    session = onnxruntime.InferenceSession(DEMO_MODELS / f'{model}.onnx')
    return run(session, features)[-1][:, -1]


def month_of(flights: pd.DataFrame) -> pd.Series:
    correct = (flights.late_score >= 0.5) == flights.was_late
    return pd.Series(
        {
            'flights': len(flights),
            'late': flights.was_late.mean(),
            'delay accuracy': correct.mean(),
            'delay AUC': roc_auc_score(flights.was_late, flights.late_score),
            'MAE january': (flights.january - flights.air_time).abs().mean(),
            'MAE spring': (flights.spring - flights.air_time).abs().mean(),
        }
    )


if __name__ == '__main__':
    frame = pd.read_csv(DEMO / 'flights.csv.gz').astype({'departure_hour': int, 'weekday': int})
    frame['late_score'] = scores('arrival_delay', frame[list(DELAY)])
    for season in ('january', 'spring'):
        frame[season] = scores(f'air_time_{season}', frame[list(AIR_TIME)])
    print(frame.groupby('month').apply(month_of).round(3).to_string())
