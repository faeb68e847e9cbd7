"""Where the fixtures live."""

from pathlib import Path

TEST_MODELS = Path(__file__).parent
ROOT = TEST_MODELS.parent.parent
DEMO = ROOT / 'demo'
DEMO_MODELS = DEMO / 'models'
BENCH = ROOT / 'bench'
