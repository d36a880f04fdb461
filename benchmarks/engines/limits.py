"""The same multiply-adds as plain products of contiguous rows into memory that is there."""

from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from benchmarks.engines.problem import Engine, Problem


class Limit(Engine):
    """Products of as many rows as a problem has pairs; it computes nothing of use."""

    ROWS = 1 << 20
    builds_map = False

    def __init__(self, problem: Problem) -> None:
        empty = problem.feats[:0]
        super().__init__(problem, empty, problem.weight[:1], empty)

    def build_map(self) -> None:
        """There is nothing to look up."""

    def forward(self) -> Tensor:
        """Return nothing of use."""
        return self.feats

    @abstractmethod
    def step(self) -> None:
        """Multiply: forward, input gradient, weight gradient."""

    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return nothing of use."""
        return self.feats, self.feats, self.weight

    def blocks(self, pairs: int) -> list[int]:
        """Return the rows of each product, as many as memory is set aside for, and the rest."""
        return [min(self.ROWS, pairs - start) for start in range(0, pairs, self.ROWS)]


class TorchLimit(Limit):
    """The products as torch multiplies."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        size = min(problem.pairs, self.ROWS), problem.channels
        self.rows, self.grad_rows, self.buffer = (self.grad_out.new_ones(size) for _ in range(3))
        self.square, self.grad_square = problem.weight[0].clone(), problem.weight[0].clone()

    def step(self) -> None:
        """Multiply: forward, input gradient, weight gradient."""
        for number in self.blocks(self.problem.pairs):
            rows, grad_rows = self.rows[:number], self.grad_rows[:number]
            torch.mm(rows, self.square, out=self.buffer[:number])
            torch.mm(grad_rows, self.square.T, out=self.buffer[:number])
            torch.mm(rows.T, grad_rows, out=self.grad_square)


class BlasLimit(Limit):
    """The products as numpy's OpenBLAS multiplies, float32, each thread its share of the rows.

    torch's MKL takes no 512-bit instructions on processors of AMD, where this limit is up to twice
    as strict. OpenBLAS is to run with one thread: its own threads do not split so few columns well.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        threads = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(threads)
        self.shares = [len(part) for part in np.array_split(np.arange(problem.pairs), threads)]
        size = min(max(self.shares), self.ROWS), problem.channels
        self.rows = [np.ones((3, *size), np.float32) for _ in self.shares]
        self.square = problem.weight[0].float().numpy()

    def step(self) -> None:
        """Multiply: forward, input gradient, weight gradient."""
        list(self.pool.map(self._multiply, range(len(self.shares))))

    def _multiply(self, thread: int) -> None:
        grad_square = np.empty_like(self.square)
        for number in self.blocks(self.shares[thread]):
            rows, grad_rows, buffer = self.rows[thread][:, :number]
            np.matmul(rows, self.square, out=buffer)
            np.matmul(grad_rows, self.square.T, out=buffer)
            np.matmul(rows.T, grad_rows, out=grad_square)
