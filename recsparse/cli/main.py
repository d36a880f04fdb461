"""The `recsparse` command: one thin function a stage.

Stages are imported inside their commands, against the house rule: MLflow and Lightning take seconds
to import, and `recsparse --help` should not.
"""

# The order here is that of `recsparse --help`.
from recsparse.cli import data_commands, machine_commands, model_commands, scoring_commands
from recsparse.cli.app import app
from recsparse.cli.exit import exit_on_error

__all__ = ["app", "data_commands", "machine_commands", "model_commands", "run", "scoring_commands"]


def run() -> None:
    """Run the command line."""
    exit_on_error(app)
