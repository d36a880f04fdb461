"""The optimiser of a network, some of whose parameters have sparse gradients."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer, SparseAdam

from recsparse.config.training import TrainingConfig

_BETAS = (0.9, 0.98)


def network_optimizer(network: nn.Module, config: TrainingConfig) -> Optimizer:
    """Return AdamW, and with it Adam of the touched rows alone for tables with sparse gradients.

    Args:
        network: Its `nn.Embedding` modules say by `sparse` whether their gradients are.
        config: Learning rate, and weight decay, which those tables do not get: it would touch all
            of their rows.

    Returns:
        One optimiser.
    """
    tables = [
        module.weight
        for module in network.modules()
        if isinstance(module, nn.Embedding) and module.sparse
    ]
    in_tables = {id(table) for table in tables}
    others = [each for each in network.parameters() if id(each) not in in_tables]
    dense = AdamW(others, lr=config.learning_rate, betas=_BETAS, weight_decay=config.weight_decay)
    if not tables:
        return dense
    return JointOptimizer([dense, SparseAdam(tables, lr=config.learning_rate, betas=_BETAS)])


class JointOptimizer(Optimizer):
    """Several optimisers, each of its own parameters, as one.

    Args:
        parts: The optimisers; schedules act on the groups of all of them.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([each for part in parts for each in part.param_groups], {})
        self.share_groups()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Let each optimiser take a step.

        Args:
            closure: Computes the gradients.

        Returns:
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all optimisers.

        Returns:
            What `load_state_dict` takes.
        """
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the states of all optimisers back.

        Args:
            state_dict: What `state_dict` returned.
        """
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.share_groups()

    def share_groups(self) -> None:
        """Show the groups of all parts as its own, after a part took new ones."""
        # The very dictionaries of the parts, so that a new learning rate reaches them.
        self.param_groups = [group for part in self.parts for group in part.param_groups]
