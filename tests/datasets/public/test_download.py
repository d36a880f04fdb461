import http.server
import subprocess
import sys
import threading
import zipfile

import pytest

from recsparse.datasets.public.download import download, download_wheel
from recsparse.errors import MissingFileError

CONTENT = bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; `/short` breaks off half-way, `/mute` at once, `/missing` is a 404."""

    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/mute":
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/short" else CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def seen():
    return []


def test_a_file_comes_whole_and_reports_its_progress(address, tmp_path, seen):
    path = download(f"{address}/log.zip", tmp_path, lambda *step: seen.append(step))
    assert path == tmp_path / "log.zip"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert len(seen) > 1


def test_a_missing_file_says_what_the_server_said(address, tmp_path, seen):
    with pytest.raises(MissingFileError, match="Not Found"):
        download(f"{address}/missing", tmp_path, lambda *step: None)


def test_an_answer_that_breaks_off_is_an_error(address, tmp_path):
    with pytest.raises(MissingFileError, match="128,000 of 256,000 bytes"):
        download(f"{address}/short", tmp_path, lambda *step: None)


def test_a_server_that_hangs_up_is_an_error(address, tmp_path):
    with pytest.raises(MissingFileError, match="RemoteDisconnected"):
        download(f"{address}/mute", tmp_path, lambda *step: None)


def test_an_unreachable_address_is_an_error(tmp_path):
    with pytest.raises(MissingFileError, match="refused"):
        download("http://127.0.0.1:1/log.zip", tmp_path, lambda *step: None, timeout=1.0)


def make_wheel(folder):
    """Write the smallest wheel that pip accepts."""
    with zipfile.ZipFile(folder / "tiny_set-1.0-py3-none-any.whl", "w") as files:
        info = "tiny_set-1.0.dist-info"
        files.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-set\nVersion: 1.0\n")
        files.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        files.writestr(f"{info}/RECORD", "")


@pytest.fixture
def offline_pip(tmp_path, monkeypatch):
    """pip that sees the wheels of one folder alone."""
    pytest.importorskip("pip", reason="pip is not installed in this environment")
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return links


def test_pip_fetches_a_wheel(offline_pip, tmp_path, seen):
    make_wheel(offline_pip)
    target = tmp_path / "target"
    target.mkdir()
    path = download_wheel("tiny-set==1.0", target, lambda *step: seen.append(step))
    assert path.parent == target
    assert path.read_bytes() == (offline_pip / path.name).read_bytes()
    assert seen == [(path.stat().st_size, path.stat().st_size)]


def test_a_wheel_that_pip_cannot_find_is_an_error(offline_pip, tmp_path):
    with pytest.raises(MissingFileError, match="No matching distribution"):
        download_wheel("tiny-set==1.0", tmp_path, lambda *step: None)


def test_a_python_without_pip_is_an_error(tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text(
        f"#!/bin/sh\nexec {sys.executable} -I -c 'raise SystemExit(\"No module named pip\")'\n"
    )
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(MissingFileError, match="No module named pip"):
        download_wheel("tiny-set==1.0", tmp_path, lambda *step: None)


@pytest.mark.parametrize("stderr", ["", "\n \n"])
def test_a_pip_that_fails_without_a_word_is_an_error(stderr, tmp_path, monkeypatch):
    def fail(command, **options):
        raise subprocess.CalledProcessError(1, command, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(MissingFileError, match="without a word"):
        download_wheel("tiny-set==1.0", tmp_path, lambda *step: None)


def test_a_pip_that_takes_too_long_is_an_error(tmp_path, monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(MissingFileError, match="timed out after 300 seconds"):
        download_wheel("tiny-set==1.0", tmp_path, lambda *step: None)
