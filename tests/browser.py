"""A real headless Chromium, driven over the WebDriver protocol with the standard library alone."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_S = 60  # a cold Chromium on a busy machine
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--hide-scrollbars"),
)


def missing() -> str | None:
    """Return why there is no browser to test with, or None."""
    if not shutil.which("chromedriver"):
        return "no chromedriver here: make browser (or apt-get install chromium chromium-driver)"
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium here: make browser (or apt-get install chromium chromium-driver)"
    return None


class Browser:
    """One window; every call is one request to the driver."""

    def __init__(self, address: str, session: str) -> None:
        self.address, self.session = address, session

    def call(self, what: str, **values: Any) -> Any:
        """Ask the driver for something within the session."""
        return ask(f"{self.address}/session/{self.session}/{what}", values)

    def cdp(self, command: str, **values: Any) -> Any:
        """Send a command of Chromium's own protocol."""
        return self.call("goog/cdp/execute", cmd=command, params=values)

    def open(self, page: Path, *, width: int = 1200, dark: bool = False, at: str = "") -> None:
        """Open a file as a window of that width shows it."""
        self.visit(page.absolute().as_uri() + at, width=width, dark=dark)

    def visit(self, address: str, *, width: int = 1200, dark: bool = False) -> None:
        """Open an address as a window of that width shows it."""
        narrow = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.cdp("Emulation.setDeviceMetricsOverride", **narrow)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])
        self.call("url", url="about:blank")
        self.call("url", url=address)

    def tab(self) -> str:
        """Return the tab that is driven."""
        return str(ask(f"{self.address}/session/{self.session}/window"))

    def new_tab(self) -> str:
        """Open a tab and drive it; return it."""
        made = str(self.call("window/new", type="tab")["handle"])
        self.switch(made)
        return made

    def switch(self, tab: str) -> None:
        """Drive another tab."""
        self.call("window", handle=tab)

    def close_tab(self) -> None:
        """Close the tab that is driven; another has to be driven then."""
        ask(f"{self.address}/session/{self.session}/window", method="DELETE")

    def js(self, script: str, *values: Any) -> Any:
        """Run a function's body in the page and return what it returns."""
        return self.call("execute/sync", script=script, args=list(values))

    def until(self, script: str, *values: Any, within_s: float = 30.0) -> Any:
        """Run a function's body in the page until what it returns is true; return that."""
        end = time.monotonic() + within_s
        while True:
            found = self.js(script, *values)
            if found:
                return found
            assert time.monotonic() < end, f"not within {within_s:g} s: {script}"
            time.sleep(0.05)

    def logs(self, kind: str) -> list[dict[str, Any]]:
        """Return what was logged since the last call: `browser` or `performance`."""
        found: list[dict[str, Any]] = self.call("se/log", type=kind)
        return found

    def error_lines(self) -> list[str]:
        """Return errors and warnings on the console since the last call."""
        return [one["message"] for one in self.logs("browser") if one["level"] != "INFO"]

    def requests(self) -> list[str]:
        """Return the addresses that pages asked for since the last call."""
        events = [json.loads(one["message"])["message"] for one in self.logs("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def point(self, x: float, y: float, kind: str = "mouseMoved") -> None:
        """Move the mouse."""
        self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y)

    def picture(self, file: Path, whole: bool = True) -> None:
        """Write a picture of the page as PNG."""
        found = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        file.write_bytes(base64.b64decode(found["data"]))


def ask(address: str, values: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """Send one request to the driver; what it refuses is an AssertionError with its words."""
    body = None if values is None else json.dumps(values).encode()
    request = urllib.request.Request(address, data=body, method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(error.read().decode()[:2000]) from None


@contextlib.contextmanager
def opened() -> Iterator[Browser]:
    """Start a driver and a window, and end both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        driver = subprocess.Popen(["chromedriver", f"--port={port}"], cwd=folder, **quiet)
        try:
            wait_for(address)
            browser = Browser(address, _session(address, folder))
            try:
                yield browser
            finally:
                ask(f"{address}/session/{browser.session}", method="DELETE")
        finally:
            driver.terminate()
            driver.wait()


def _session(address: str, folder: str) -> str:
    binary = next(path for path in map(shutil.which, BROWSERS) if path)
    chrome = {"binary": binary, "args": [*OPTIONS, f"--user-data-dir={folder}/profile"]}
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": chrome,
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    made = ask(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
    return str(made["sessionId"])


def wait_for(address: str) -> None:
    """Wait until the driver answers."""
    until = time.monotonic() + START_S
    while True:
        try:
            ask(f"{address}/status")
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
