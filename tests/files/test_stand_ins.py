import pytest

from recsparse.files.stand_ins import called, content_of_frame, standing_in


def test_a_file_has_the_name_of_its_frame_as_long_as_it_stands_in(tmp_path):
    path = tmp_path / "0.parquet"
    path.write_bytes(b"rows")
    with standing_in({path: "the frame given as items"}):
        assert called(path) == called(str(path)) == "the frame given as items"
        assert content_of_frame(path) == content_of_frame(str(path))
    assert called(path) == str(path)
    assert content_of_frame(path) is None


def test_the_name_is_forgotten_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), standing_in({tmp_path: "the frame"}):
        raise RuntimeError
    assert called(tmp_path) == str(tmp_path)


def test_the_content_tells_frames_apart(tmp_path):
    one, other = tmp_path / "0.parquet", tmp_path / "1.parquet"
    one.write_bytes(b"rows")
    other.write_bytes(b"other rows")
    with standing_in({one: "one", other: "other"}):
        assert content_of_frame(one) != content_of_frame(other)
        other.write_bytes(b"rows")
        assert content_of_frame(one) == content_of_frame(other)
