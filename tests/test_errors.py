import pytest

from recsparse import errors
from recsparse.errors import RecsparseError, nearest


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InputError, ValueError),
        (errors.InputTypeError, ValueError),
        (errors.InputTypeError, TypeError),
        (errors.ConfigError, ValueError),
        (errors.SchemaError, ValueError),
        (errors.UnknownIdError, KeyError),
        (errors.MissingFileError, FileNotFoundError),
        (errors.ModelFolderError, ValueError),
        (errors.OutputError, OSError),
        (errors.MissingPackageError, ImportError),
    ],
)
def test_every_error_is_ours_and_a_builtin_kind_and_says_its_message(kind, builtin):
    error = kind("ids must be known")
    assert isinstance(error, RecsparseError)
    assert isinstance(error, builtin)
    assert str(error) == "ids must be known"


def test_the_nearest_name_is_found_despite_a_typing_error():
    assert nearest("epochz", ["epochs", "patience"]) == "the nearest known is 'epochs'"


def test_without_a_near_name_all_are_listed():
    assert nearest("zzz", ["epochs", "patience"]) == "known are 'epochs', 'patience'"
    assert nearest("zzz", []) == "known are none"
