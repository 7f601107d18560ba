"""What is around the parts of every page: head, navigation, the state of the connection."""

import functools
import hashlib

from ..page import asset
from ..page.html import Safe, said, tag
from .parts import Page

OURS = ("live.js", "stream.js")  # scripts that the report does not need


@functools.cache
def static(name: str) -> str | None:
    """Return a script, or the style sheet of all pages; None where there is none of that name."""
    if name == "style.css":
        return asset(name) + asset("serve.css", __package__)
    if name == "figures.js":
        return asset(name)
    return asset(name, __package__) if name in OURS else None


@functools.cache
def static_address(name: str) -> str:
    """Return where a script or sheet is: another address once its contents are another."""
    digest = hashlib.blake2b((static(name) or "").encode(), digest_size=6).hexdigest()
    return f"/static/{name}?v={digest}"


def whole(page: Page, body: Safe, title: str) -> str:
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
    heading = "" if "<h1" in body else tag("h1", said(page.title), class_="unseen", id="heading")
    main = tag("main", heading, body, id="parts", data_each=True)
    moved, stream = " ".join(page.on), static_address("stream.js")
    told = tag("p", id="said", role="alert", hidden=True)
    body_ = tag("body", header, told, main, data_on=moved, data_stream=stream)
    return f"<!doctype html>\n{tag('html', head, body_, lang='en')}\n"


def _navigation(page: Page, title: str) -> Safe:
    now = tag("a", said(title), href="/", aria_current="page" if page.place == "now" else None)
    here = tag("span", said(page.title), class_="here") if page.place != "now" else ""
    return tag("nav", now, here, aria_label="pages")
