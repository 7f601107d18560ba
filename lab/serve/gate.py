"""Who may read and who may act: the token, the host that was asked for, the origin of an act."""

import hmac
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "lab-serve-{port}"  # cookies know no ports, and two repositories may be served
COOKIE_S = 30 * 86400
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none, a form's origin would be null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Cookie",
}


@dataclass(frozen=True)
class Asked:
    """What the gate looks at of a request."""

    method: str
    host: str  # with its port
    origin: str | None
    token: str | None  # of the cookie, or of the link


@dataclass(frozen=True)
class Gate:
    """The rules of one server: where it listens, and its token."""

    host: str
    port: int
    token: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in LOOPBACK

    @property
    def cookie(self) -> str:
        """The name of its cookie."""
        return COOKIE.format(port=self.port)

    def knows(self, asked: Asked) -> bool:
        """Return whether somebody has the token."""
        return asked.token is not None and hmac.compare_digest(
            asked.token.encode(), self.token.encode()
        )

    def refuses(self, asked: Asked) -> str | None:
        """Return why a request is not answered; None where it is.

        Without the token one reads on this machine alone, and by its own names: a page elsewhere
        whose name was turned to this address (DNS rebinding) names another host.
        """
        known = self.knows(asked)
        if not known and not (self.is_loopback and _name(asked.host) in LOOPBACK):
            return "This page needs the link that lab serve printed."
        if asked.method in ("GET", "HEAD"):
            return None
        if not known:
            return "Only whoever opened the link that lab serve printed may act."
        if asked.origin is None or asked.origin.partition("://")[2] != asked.host:
            return "An act comes from a page of this server alone."
        return None


def _name(host: str) -> str:
    """Return a host without its port.

    >>> _name("localhost:7777"), _name("[::1]:7777"), _name("::1")
    ('localhost', '::1', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.partition(":")[0].lower()


def token(file: Path) -> str:
    """Return the token of this notebook's pages: the same at each start, so that links live on.

    Whoever removes the file has a new one at the next start.
    """
    try:
        found = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        found = ""
    if len(found) < 32:
        found = secrets.token_urlsafe(32)
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(found)
    return found
