"""What is around the parts of every page: head, navigation, the state of the connection."""

import functools
import hashlib
from collections.abc import Sequence

from ..page import asset
from ..page.html import Safe, said, tag
from .parts import Page

SCRIPTS = {"figures.js": "lab.page", "live.js": __package__, "stream.js": __package__}
SHEETS = {"style.css": "lab.page", "serve.css": __package__}


@functools.cache
def static(name: str) -> str | None:
    """Return a script, or the style sheet of all pages; None where there is none of that name."""
    if name == "style.css":
        return "\n".join(_asset(sheet, package) for sheet, package in SHEETS.items())
    return _asset(name, SCRIPTS[name]) if name in SCRIPTS else None


def _asset(name: str, package: str) -> str:
    return asset(name, package.replace("lab.", f"{__package__.rpartition('.')[0]}.", 1))


@functools.cache
def static_address(name: str) -> str:
    """Return where a script or sheet is: another address once its contents are another."""
    digest = hashlib.blake2b((static(name) or "").encode(), digest_size=6).hexdigest()
    return f"/static/{name}?v={digest}"


def whole(page: Page, body: Safe, title: str, extra: Sequence[object] = ()) -> str:
    """Return a page of HTML around its parts."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href=static_address("style.css")),
        tag("script", src=static_address("figures.js"), defer=True),
        tag("script", src=static_address("live.js"), defer=True),
        tag("title", f"{page.title} · {title}"),
    )
    state = tag("span", id="link", role="status", aria_live="polite")
    header = tag("header", _navigation(page, title), state)
    main = tag("main", extra, body, id="parts", data_each=True)
    moved, stream = " ".join(page.on), static_address("stream.js")
    told = tag("p", id="said", role="alert", hidden=True)
    body_ = tag("body", header, told, main, data_on=moved, data_stream=stream)
    return f"<!doctype html>\n{tag('html', head, body_, lang='en')}\n"


def _navigation(page: Page, title: str) -> Safe:
    now = tag("a", said(title), href="/", aria_current="page" if page.place == "now" else None)
    here = tag("span", said(page.title), class_="here") if page.place != "now" else ""
    return tag("nav", now, here, aria_label="pages")
