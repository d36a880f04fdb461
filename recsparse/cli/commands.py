"""All commands, in the order of `recsparse --help`: one thin function per stage.

Stages are imported inside their commands, against the house rule: MLflow and Lightning take seconds
to import, and `recsparse --help` should not.
"""

from recsparse.cli import (
    backtest_commands,
    config_commands,
    data_commands,
    machine_commands,
    model_commands,
    promotion_commands,
    scoring_commands,
    tune_commands,
)
from recsparse.cli.app import app

__all__ = [
    "app",
    "backtest_commands",
    "config_commands",
    "data_commands",
    "machine_commands",
    "model_commands",
    "promotion_commands",
    "scoring_commands",
    "tune_commands",
]
