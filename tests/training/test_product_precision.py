import logging

import pytest
import torch

from recsparse.config.training import TrainingConfig
from recsparse.training.product_precision import uses_bfloat16

NOTHING = {"avx512_bf16": False, "amx_bf16": False, "avx2": True}


@pytest.fixture
def processor(monkeypatch):
    """Pretends to have a processor with some units, and no other device."""

    def processor(units):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {**NOTHING, **units})

    return processor


@pytest.mark.parametrize("unit", ["avx512_bf16", "amx_bf16"])
def test_auto_takes_bfloat16_where_the_processor_has_units_for_it(processor, unit, caplog):
    processor({unit: True})
    assert uses_bfloat16(TrainingConfig(precision="auto"))
    assert uses_bfloat16(TrainingConfig(precision="bfloat16"))
    assert not uses_bfloat16(TrainingConfig(precision="float32"))
    assert not caplog.records


def test_a_processor_without_units_computes_in_float32_unless_told_otherwise(processor, caplog):
    processor({})
    with caplog.at_level(logging.WARNING):
        assert not uses_bfloat16(TrainingConfig(precision="auto"))
        assert not caplog.records
        assert uses_bfloat16(TrainingConfig(precision="bfloat16"))
    assert "set training.precision=auto" in caplog.text


def test_a_torch_that_does_not_tell_means_float32(processor, monkeypatch):
    processor({})
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not uses_bfloat16(TrainingConfig(precision="auto"))


@pytest.mark.parametrize("is_supported", [True, False])
def test_a_graphics_card_is_asked_itself(processor, monkeypatch, is_supported):
    processor({"avx512_bf16": not is_supported})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: is_supported)
    for device in ("auto", "cuda"):
        training = TrainingConfig(precision="auto", device=device)
        assert uses_bfloat16(training) is is_supported
    assert uses_bfloat16(TrainingConfig(precision="auto", device="cpu")) is not is_supported
