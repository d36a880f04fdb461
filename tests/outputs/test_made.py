import pytest

from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.outputs.made import is_made
from recsparse.outputs.manifest import MANIFEST
from recsparse.scoring.model_folder import MODEL

JOB, OTHER = Job("train", "1" * 64), Job("train", "2" * 64)


@pytest.fixture(params=["a path", "an address"])
def out(request, tmp_path):
    """A place with what one job wrote."""
    place = str(tmp_path / "model") if request.param == "a path" else f"memory://{tmp_path}/model"
    with claim(place, MODEL, JOB) as output, output.folder() as folder:
        (folder / "weights.safetensors").write_bytes(b"weights")
    return place


def test_the_job_that_wrote_it_is_known_from_others(out):
    assert is_made(out, MODEL, JOB)
    assert not is_made(out, MODEL, OTHER)
    assert not is_made(f"{out}-of-tomorrow", MODEL, JOB)


@pytest.mark.parametrize("harm", ["a file is gone", "a file is shorter", "a stranger", "no proof"])
def test_what_was_changed_is_not_made(tmp_path, harm):
    place = tmp_path / "model"
    with claim(place, MODEL, JOB) as output, output.folder() as folder:
        (folder / "weights.safetensors").write_bytes(b"weights")
    if harm == "a stranger":
        (place / "notes.txt").write_text("mine")
    elif harm == "a file is shorter":
        (place / "weights.safetensors").write_bytes(b"weigh")
    else:
        (place / (MANIFEST if harm == "no proof" else "weights.safetensors")).unlink()
    assert not is_made(place, MODEL, JOB)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model").write_text("a file")
    assert not is_made(tmp_path / "model", MODEL, JOB)
