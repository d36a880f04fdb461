"""What each cell of a row adds to the scores of the grid network, as far as these are sums."""

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.linear_models import IALSConfig
from recsparse.models.linear.folded_in import ridge_contributions
from recsparse.models.row_networks.sparse_grid_network import SparseGridNetwork


def pooled_contributions(
    network: SparseGridNetwork, history: csr_matrix, listed: Int[Tensor, "b k"]
) -> Float[Tensor, "n_cells k"]:
    """Say what each cell adds to the scores through the ridge regression of its row.

    The scores are `s (p + MLP(p / |p|)) Q^T + b`. The regression `p = A^-1 sum_i w_i h_i` is a sum
    over the cells, as that of iALS is; what the MLP makes of it is not.

    Args:
        network: The network.
        history: One row of interactions per user.
        listed: Items of each user.

    Returns:
        `s w_i q_j A^-1 h_i`; zeros where the row is pooled otherwise, or other layers come first.
    """
    if network.pooling != "ridge" or len(network.blocks):
        return torch.zeros(history.nnz, listed.shape[1])
    pool, device = network.ridge_pool, network.item_bias.device
    ridge = IALSConfig(
        unobserved_weight=pool.log_unobserved_weight.exp().item(),
        regularisation=pool.log_regularisation.exp().item(),
        frequency_exponent=1.0,
    )
    learned = network.item_log_weight.detach().exp().cpu().numpy()
    weights = history.data * learned[history.indices]
    weighted = csr_matrix((weights, history.indices, history.indptr), shape=history.shape)
    items, _ = network.items(torch.arange(len(network.item_bias), device=device))
    wanted = network.scale.detach().cpu() * items.detach().cpu()
    return ridge_contributions(weighted, network.item_vectors.cpu(), ridge, wanted, listed)
