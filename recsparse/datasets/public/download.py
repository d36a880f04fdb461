"""Files from elsewhere: one address over HTTP, or one published wheel through pip."""

import http.client
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from recsparse.errors import MissingFileError

# Takes the number of bytes that have come, and the number expected in all (0 when unknown).
Progress = Callable[[int, int], None]

_CHUNK = 1 << 16
_PIP_SECONDS = 300


def download(url: str, folder: Path, progress: Progress, timeout: float = 15.0) -> Path:
    """Return the file at an address, written into `folder` under its own name.

    Args:
        url: The address; http, https and file are understood.
        folder: An existing folder.
        progress: Called after each chunk.
        timeout: Seconds without a byte after which the address counts as out of reach.

    Returns:
        The file.

    Raises:
        MissingFileError: If the address cannot be reached or the answer breaks off.
    """
    target = folder / url.rsplit("/", 1)[-1]
    with target.open("wb") as file:
        for chunk in _chunks(url, progress, timeout):
            file.write(chunk)
    return target


def download_wheel(requirement: str, folder: Path, progress: Progress) -> Path:
    """Return a published wheel, fetched by pip without its dependencies and not installed.

    pip's own settings (index, proxy, cache) apply.

    Args:
        requirement: Such as `name==1.0`.
        folder: An existing folder without other wheels.
        progress: Called once at the end.

    Returns:
        The wheel.

    Raises:
        MissingFileError: If pip is not installed, takes too long, or finds no such wheel.
    """
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--retries=1", "--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PIP_SECONDS)
        wheel = next(folder.glob("*.whl"))
    except subprocess.CalledProcessError as error:
        raise MissingFileError(_last_line(error.stderr)) from error
    except (subprocess.TimeoutExpired, StopIteration) as error:
        raise MissingFileError(f"pip gave no wheel of {requirement}: {error}") from error
    progress(wheel.stat().st_size, wheel.stat().st_size)
    return wheel


def _chunks(url: str, progress: Progress, timeout: float) -> Iterator[bytes]:
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            total = int(response.headers.get("Content-Length") or 0)
            while chunk := response.read(_CHUNK):
                done += len(chunk)
                progress(done, total)
                yield chunk
    except urllib.error.URLError as error:
        raise MissingFileError(str(error.reason)) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise MissingFileError(f"{type(error).__name__}: {error}") from error
    if done < total:
        raise MissingFileError(f"the connection broke off after {done:,} of {total:,} bytes")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "pip failed without a word"
