import os
import subprocess
import sys

import pytest

from recsparse.environment import is_on, wanted_kernels
from recsparse.errors import InputError


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "auto"), ("", "auto"), ("off", "off"), ("OFF", "off"), (" Avx2 ", "avx2")],
)
def test_kernels_are_named_in_any_capitals(monkeypatch, given, expected):
    monkeypatch.delenv("RECSPARSE_KERNELS", raising=False)
    if given is not None:
        monkeypatch.setenv("RECSPARSE_KERNELS", given)
    assert wanted_kernels() == expected


@pytest.mark.parametrize(("given", "near"), [("of", "off"), ("avx_512", "avx512"), ("1", "auto")])
def test_a_misspelt_kernel_is_refused_with_those_that_there_are(monkeypatch, given, near):
    monkeypatch.setenv("RECSPARSE_KERNELS", given)
    message = f"RECSPARSE_KERNELS must be one of auto, avx512bf16, .*, but is '{given}'; .*{near}"
    with pytest.raises(InputError, match=message):
        wanted_kernels()


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, False), ("", False), ("0", False), ("False", False), ("off", False), ("1", True)],
)
def test_a_switch_is_off_where_it_says_so(monkeypatch, given, expected):
    monkeypatch.delenv("RECSPARSE_TRACEBACK", raising=False)
    if given is not None:
        monkeypatch.setenv("RECSPARSE_TRACEBACK", given)
    assert is_on("RECSPARSE_TRACEBACK") is expected


def test_a_command_with_a_misspelt_variable_is_bad_input(tmp_path):
    environment = {**os.environ, "RECSPARSE_KERNELS": "avx51"}
    command = [sys.executable, "-m", "recsparse", "doctor"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert "RECSPARSE_KERNELS must be one of" in done.stderr
