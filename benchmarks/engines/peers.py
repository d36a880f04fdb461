"""Other engines that pip installs and that run on a CPU, each at the best its public calls give.

They live in an environment of their own (`benchmarks/peers.txt`), so nothing but torch and numpy
is imported with them.
"""

import ctypes
import importlib
import sys
import types
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.engines.problem import Engine, Problem


class Spconv(Engine):
    """spconv: `SubMConv` with algorithm Native and int32 indices, pairs kept under an `indice_key`.

    Its backward asks for a CUDA stream on a CPU too, which fails; here it sees that there is
    none. With two threads its gather and scatter share their pointers between threads, so that
    results are wrong; they are timed all the same.
    """

    def __init__(self, problem: Problem) -> None:
        self.spconv = importlib.import_module("spconv.pytorch")
        self.ops = importlib.import_module("spconv.pytorch.ops")
        vars(self.ops)["get_current_stream"] = lambda: 0
        self.algo = self.spconv.ConvAlgo.Native
        axes = len(problem.shape)
        make = {1: self.spconv.SubMConv1d, 2: self.spconv.SubMConv2d, 3: self.spconv.SubMConv3d}
        self.layer = make[axes](
            problem.channels, problem.channels, 3, bias=False, indice_key="cells", algo=self.algo
        )
        weight = problem.weight.permute(2, 0, 1).reshape(self.layer.weight.shape)
        self.layer.weight = torch.nn.Parameter(weight.contiguous())
        super().__init__(problem, problem.feats, self.layer.weight, problem.grad_out)
        self.weight = self.layer.weight
        self.tensor = self.spconv.SparseConvTensor(
            problem.feats, problem.coords.int(), list(problem.shape), 1
        )

    def build_map(self) -> None:
        """Build the pairs as the layer does at its first call."""
        ones = [1] * len(self.problem.shape)
        zeros = [0] * len(ones)
        kernel = list(self.problem.kernel)
        self.ops.get_indice_pairs(
            self.tensor.indices, 1, list(self.problem.shape), self.algo, kernel, ones, ones, ones,
            zeros, True, False,
        )  # fmt: skip

    def forward(self) -> Tensor:
        """Return the output."""
        result = self.layer(self.tensor.replace_feature(self.feats))
        self.tensor.indice_dict = result.indice_dict
        out: Tensor = result.features
        return out

    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients."""
        out, grad_feats, grad_weight = self.gradients()
        return out, grad_feats, grad_weight.flatten(1, -2).permute(1, 2, 0)


class Open3d(Engine):
    """Open3D: its `sparse_conv` over the neighbours that its fixed-radius search finds.

    The layer around it searches anew at every call and takes cubic kernels in 3-D only; the
    operation takes any list of neighbours, which is kept here between steps. Cells in fewer than
    three axes lie in a plane. Its backward inverts the list at every step; there is no way to keep
    that.
    """

    def __init__(self, problem: Problem) -> None:
        _load_libusb()
        self.ops = importlib.import_module("open3d.ml.torch").ops
        super().__init__(problem, problem.feats, problem.weight, problem.grad_out)
        flat = problem.coords[:, 1:].float()
        self.points = torch.nn.functional.pad(flat, (0, 3 - flat.shape[1]))
        self.nothing = torch.empty(0)
        self.neighbours: tuple[Tensor, Tensor, Tensor] | None = None

    def build_map(self) -> None:
        """Search the neighbours, and say under which tap each is met."""
        self._search()

    def _search(self) -> tuple[Tensor, Tensor, Tensor]:
        ends = torch.tensor([0, len(self.points)])
        radius = torch.tensor(1.5)
        # A quarter of a slot per point is twice as fast as the 1/64 of Open3D's layer.
        table = self.ops.build_spatial_hash_table(
            self.points, radius, ends, 1 / 4, max_hash_table_size=1 << 25
        )
        found = self.ops.fixed_radius_search(
            self.points, self.points, radius, ends, ends,
            table.hash_table_splits, table.hash_table_index, table.hash_table_cell_splits,
            index_dtype=torch.int32, metric="Linf", ignore_query_point=False,
            return_distances=False,
        )  # fmt: skip
        index, splits = found.neighbors_index, found.neighbors_row_splits
        cells = self.problem.coords[:, 1:]
        offset = cells.index_select(0, index) - cells.repeat_interleave(splits.diff(), dim=0) + 1
        steps = torch.tensor([3**axis for axis in reversed(range(cells.shape[1]))])
        return index, (offset * steps).sum(1).to(torch.uint8), splits

    def forward(self) -> Tensor:
        """Return the output."""
        if self.neighbours is None:
            self.neighbours = self._search()
        index, tap, splits = self.neighbours
        out: Tensor = self.ops.sparse_conv(
            self.weight, self.feats, self.nothing, index, tap, self.nothing, splits
        )
        return out

    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients."""
        return self.gradients()


class Ocnn(Engine):
    """ocnn: `OctreeConv` on the non-empty nodes of the finest level, neighbours kept in the octree.

    Cells in two axes lie in a plane, kernel (3, 3, 1). Features are kept in the octree's own order,
    so that no time is spent on permuting them.
    """

    MAX_DEPTH = 16

    def __init__(self, problem: Problem) -> None:
        _pretend_torchvision()
        self.ocnn = importlib.import_module("ocnn")
        axes = len(problem.shape)
        self.depth = max(3, (max(problem.shape) - 1).bit_length())
        if axes == 1 or self.depth > self.MAX_DEPTH:
            raise ValueError(
                f"an octree has at most {self.MAX_DEPTH} levels, and the axes {problem.shape} need "
                f"{self.depth}"
            )
        kernel = [3] * axes + [1] * (3 - axes)
        # A buffer of a million numbers takes a third of the time of the 200 million of the default.
        self.layer = self.ocnn.nn.OctreeConv(
            problem.channels, problem.channels, kernel, nempty=True, max_buffer=1_000_000
        )
        self.layer.weights = torch.nn.Parameter(problem.weight.clone())
        cells = torch.nn.functional.pad(problem.coords[:, 1:].float(), (0, 3 - axes))
        self.points = self.ocnn.octree.Points((cells + 0.5) / 2 ** (self.depth - 1) - 1)
        self.order = self._new_octree()[1].argsort()
        super().__init__(
            problem, problem.feats[self.order], self.layer.weights, problem.grad_out[self.order]
        )
        self.weight = self.layer.weights
        self.octree: object | None = None

    def _new_octree(self) -> tuple[object, Tensor]:
        octree = self.ocnn.octree.Octree(self.depth, full_depth=2)
        position: Tensor = octree.build_octree(self.points)
        return octree, position

    def build_map(self) -> None:
        """Build the octree and the neighbours of its finest level."""
        self.octree = None  # two of them would take twice the gigabytes
        self.octree = self._octree_with_neighbours()

    def _octree_with_neighbours(self) -> object:
        octree = self._new_octree()[0]
        octree.construct_all_neigh()  # type: ignore[attr-defined]
        octree.nempty_neigh(self.depth)  # type: ignore[attr-defined]
        return octree

    def forward(self) -> Tensor:
        """Return the output."""
        if self.octree is None:
            self.octree = self._octree_with_neighbours()
        out: Tensor = self.layer(self.feats, self.octree, self.depth)
        return out

    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients."""
        out, grad_feats, grad_weight = self.gradients()
        position = self.order.argsort()
        return out[position], grad_feats[position], grad_weight


def _load_libusb() -> None:
    """Load the libusb that pip installs, which Open3D needs for its cameras, before Open3D does."""
    path = importlib.import_module("libusb_package").get_library_path()
    ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)


def _pretend_torchvision() -> None:
    """Stand in for torchvision, of which ocnn imports one name for a model that is not used here.

    pip's torchvision is built for CUDA and does not load with a torch without it.
    """
    package, models = types.ModuleType("torchvision"), types.ModuleType("torchvision.models")
    setattr(models, "resnet18", None)  # noqa: B010 (a module has no such attribute to mypy)
    sys.modules.update({"torchvision": package, "torchvision.models": models})


PEERS: dict[str, Callable[[Problem], Engine]] = {"spconv": Spconv, "open3d": Open3d, "ocnn": Ocnn}
