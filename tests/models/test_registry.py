from recsparse.config.models import MODEL_CONFIGS
from recsparse.models.registry import MODEL_CLASSES, build_model


def test_there_is_a_model_for_every_section_of_the_configuration():
    assert list(MODEL_CLASSES) == [
        section.model_fields["kind"].default for section in MODEL_CONFIGS
    ]


def test_a_model_keeps_the_configuration_that_it_is_built_with():
    for section in MODEL_CONFIGS:
        config = section()
        model = build_model(config)
        assert model.kind == config.kind
        assert model.config is config
