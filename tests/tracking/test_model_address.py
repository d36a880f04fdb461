from recsparse.tracking.model_address import is_model_uri


def test_addresses_of_mlflow_are_told_from_folders():
    assert is_model_uri("runs:/1/model")
    assert is_model_uri("models:/shelf@champion")
    assert is_model_uri("mlflow-artifacts:/1/model")
    assert not is_model_uri("demo/models")
    assert not is_model_uri("/models:/shelf")
