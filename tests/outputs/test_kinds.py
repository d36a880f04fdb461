import pytest

from recsparse.outputs.kinds import describes_itself


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a = 1\nb = 2\nc = 3\n", True),
        (b"a = 1\n", False),
        (b"[table]\na = 1\nb = 2\n", False),
        (b"a = = 1", False),
        (b"\xff\xfe", False),
    ],
)
def test_a_folder_describes_itself_where_its_file_has_all_keys(tmp_path, text, expected):
    (tmp_path / "box.toml").write_bytes(text)
    assert describes_itself(tmp_path, "box.toml", ("a", "b")) is expected


def test_a_folder_without_the_file_does_not_describe_itself(tmp_path):
    assert describes_itself(tmp_path, "box.toml", ()) is False
    assert describes_itself(tmp_path / "nowhere", "box.toml", ()) is False
