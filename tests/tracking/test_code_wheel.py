import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import recsparse
from recsparse.tracking.code_wheel import code_wheel

PACKAGE = Path(recsparse.__file__).parent


def opened() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(code_wheel()[1]))


def test_the_wheel_holds_each_file_of_the_package_as_it_is():
    with opened() as wheel:
        packed = {name: wheel.read(name) for name in wheel.namelist() if "dist-info" not in name}
    found = {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == found
    assert "recsparse/sparse/kernels/conv.cpp" in packed


def test_the_record_names_every_file_by_its_digest():
    with opened() as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    (record,) = [name for name in files if name.endswith(".dist-info/RECORD")]
    rows = {
        name: (digest, size) for name, digest, size in csv.reader(files[record].decode().split())
    }
    assert rows.pop(record) == ("", "")
    assert set(rows) == set(files) - {record}
    for name, (digest, size) in rows.items():
        kind, _, given = digest.partition("=")
        made = base64.urlsafe_b64encode(hashlib.new(kind, files[name]).digest()).decode()
        assert (given, int(size)) == (made.rstrip("="), len(files[name]))


def test_the_same_files_give_the_same_bytes():
    first = code_wheel()
    code_wheel.cache_clear()
    assert code_wheel() == first


def test_pip_installs_the_wheel_without_building_anything(tmp_path):
    name, content = code_wheel()
    (tmp_path / name).write_bytes(content)
    place = tmp_path / "place"
    words = ["install", "--quiet", "--no-deps", "--no-index", "--target", place, tmp_path / name]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=120)
    asked = "from importlib.metadata import version; print(version('recsparse'))"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=place, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == recsparse.__version__
    assert (place / "recsparse" / "py.typed").is_file() == (PACKAGE / "py.typed").is_file()
