"""The wheel of the running package, made of its files alone, for models that take their code along.

Neither a checkout nor a build tool is needed: what is imported is what is packed, compiled kernels
among it. The same files give the same bytes.
"""

import base64
import hashlib
import io
import sysconfig
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first second that a ZIP file knows
_UNPACKED = {"__pycache__"}
_LIBRARIES = {".so", ".dylib", ".pyd"}


@cache
def code_wheel() -> tuple[str, bytes]:
    """Return the wheel of the package that runs; it is made once a process.

    Returns:
        Its file name, and its content.
    """
    files = dict(_package_files(Path(__file__).parents[1]))
    is_compiled = any(Path(name).suffix in _LIBRARIES for name in files)
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tag = f"py3-none-{platform if is_compiled else 'any'}"
    version = distribution("recsparse").version
    files |= _described(f"recsparse-{version}.dist-info", tag, is_compiled, files)
    return f"recsparse-{version}-{tag}.whl", _packed(files)


def _package_files(package: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package.parent)
        if path.is_file() and not (_UNPACKED & {*name.parts}) and not path.name.startswith("."):
            yield name.as_posix(), path.read_bytes()


def _described(
    folder: str, tag: str, is_compiled: bool, files: dict[str, bytes]
) -> dict[str, bytes]:
    """Return the files by which installers and `importlib.metadata` know a package."""
    purelib = str(not is_compiled).lower()
    wheel = f"Wheel-Version: 1.0\nGenerator: recsparse\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n"
    told = {f"{folder}/{name}": data for name, data in _told().items()}
    found = {**told, f"{folder}/WHEEL": wheel.encode()}
    lines = [f"{name},{_sha256(data)},{len(data)}" for name, data in (files | found).items()]
    record = f"{folder}/RECORD"
    return found | {record: "\n".join([*lines, f"{record},,", ""]).encode()}


def _told() -> dict[str, bytes]:
    read = distribution("recsparse").read_text
    texts = {name: read(name) for name in ("METADATA", "entry_points.txt", "licenses/LICENSE")}
    return {name: text.encode() for name, text in texts.items() if text is not None}


def _sha256(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def _packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            opened.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return content.getvalue()
