import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.grids.bag_tensor import bags_to_tensor, tensor_to_bags

WEIGHTS = st.lists(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4), max_size=6
)


@given(WEIGHTS)
def test_bags_are_the_same_as_a_tensor_and_back(rows):
    bags = csr_matrix(np.array(rows, dtype=np.float32).reshape(-1, 4))
    found = tensor_to_bags(bags_to_tensor(bags))
    assert found.shape == bags.shape
    assert found.dtype == np.float32
    assert found.toarray().tolist() == bags.toarray().tolist()
