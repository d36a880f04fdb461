"""A headless Chromium, spoken to over a pipe: opens pages, waits for them, takes their pictures."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE_SECONDS = 60
# What Chromium reads its commands from, and what it writes its answers to.
_COMMANDS, _ANSWERS = 3, 4


class Browser:
    """One page of a running Chromium, by its DevTools protocol.

    Args:
        commands: File descriptor that the browser reads from.
        answers: File descriptor that the browser writes to.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb")
        self._session: str | None = None
        self._sent = 0
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:  # events come between the answers
            answer = json.loads(self._next())
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise RuntimeError(f"{method} failed: {answer['error']['message']}")
                return dict(answer["result"])

    def _next(self) -> bytes:
        message = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            message += byte
        return bytes(message)

    def run(self, script: str) -> Any:
        """Run JavaScript in the page.

        Args:
            script: An expression.

        Returns:
            Its value.
        """
        return self._call("Runtime.evaluate", expression=script)["result"].get("value")

    def open(self, address: str, shows: str) -> None:
        """Open a page and wait until it is there.

        Args:
            address: Of the page.
            shows: A text that it has when it is complete.

        Raises:
            RuntimeError: If it has no such text within a minute.
        """
        self._call("Page.navigate", url=address)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self.run(f"document.body.innerText.includes({json.dumps(shows)})"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{address} must show {shows!r}, but does not")
            time.sleep(0.2)

    def write(self, selector: str, text: str) -> None:
        """Write into a field.

        Args:
            selector: Of the field, as CSS has it.
            text: What to write.
        """
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self._call("Input.insertText", text=text)

    def picture(self, file: Path) -> None:
        """Take a picture of the page from its top, once its charts have been drawn.

        Args:
            file: Where to write it, as PNG.
        """
        time.sleep(3)
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def resize(self, width: int, height: int) -> None:
        """Give the window a size.

        Args:
            width: In pixels.
            height: In pixels.
        """
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium with an empty profile, and end it with the context.

    Yields:
        The browser.

    Raises:
        RuntimeError: If there is none.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RuntimeError(
            f"pictures of pages need a browser, but none of {', '.join(_NAMES)} is there; "
            "install one: 'apt install chromium'"
        )
    their_commands, commands = os.pipe()
    answers, their_answers = os.pipe()
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--remote-debugging-pipe"]
    # The shell gives the pipes the numbers that Chromium looks for.
    shell = f'exec "$@" {_COMMANDS}<&{their_commands} {_ANSWERS}>&{their_answers}'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["bash", "-c", shell, "browser", found, *options, f"--user-data-dir={profile}"],
            pass_fds=(their_commands, their_answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(their_commands)
        os.close(their_answers)
        try:
            yield Browser(commands, answers)
        finally:
            process.terminate()
            process.wait()
