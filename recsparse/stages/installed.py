"""What is installed, from where, and how to build it anew."""

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution, version

NOT_INSTALLED = "not installed"


def installed_version(package: str) -> str:
    """Return the version of a package.

    Args:
        package: Its name.

    Returns:
        The version, or that it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def build_again(package: str, *options: str) -> str:
    """Return the command that builds a package anew, from where it was installed.

    pip keeps what it has built: a wheel without kernels, or one for another torch, would only come
    back from its cache.

    Args:
        package: Its name.
        *options: More options of pip.

    Returns:
        A clause with the command.

    Example:
        >>> build_again("no-such-package")
        "build it past pip's cache: pip install --force-reinstall --no-cache-dir --no-deps \
--no-binary no-such-package no-such-package"
    """
    words = ["--force-reinstall", "--no-cache-dir", "--no-deps", *options, "--no-binary", package]
    return f"build it past pip's cache: pip install {shlex.join([*words, *_source(package)])}"


def _source(package: str) -> list[str]:
    # PEP 610: what was not installed by its name alone says where it is from.
    try:
        found = json.loads(distribution(package).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return [package]
    url = found.get("url")
    if url is None:
        return [package]
    if "vcs_info" in found:
        return [f"{found['vcs_info']['vcs']}+{url}@{found['vcs_info']['commit_id']}"]
    return ["--editable", url] if found.get("dir_info", {}).get("editable") else [url]
