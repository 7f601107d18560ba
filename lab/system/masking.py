"""Masking: what looks like a secret in a log is stored and shown as `[secret]`.

The raw file stays with its run, readable by its owner alone.
"""

import re

MASK = "[secret]"
LONGEST_BLOCK = 1 << 14  # characters of a private key; what is longer was never closed
BEGIN, END = "-----BEGIN ", "-----END "
_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.S
)
# Keys that their vendors gave a shape of their own.
_SHAPES = re.compile(
    r"\b(?:sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|(?:gsk_|xai-|pplx-|hf_|r8_|npm_|pypi-|glpat-|github_pat_|gh[pousr]_)[\w-]{20,}"
    r"|[srp]k_(?:live|test)_\w{16,}|AIza[\w-]{35}|(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|xox[abeprs]-[\w-]{10,}|a[ks]-[A-Za-z0-9]{22}\b"  # Slack; Modal
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"  # JSON Web Token
)
# What stands behind a word that says so: the word stays.
_NAMED = re.compile(
    r"((?i:\b(?:bearer|basic)\s+)(?=[\w.~+/=-]*\d)|(?i:\w+://[^\s/:@]*:(?=[^\s/@]+@))"
    r"|\b[A-Z][A-Z0-9_]*(?:TOKEN|KEY|SECRET)[\"']?\s*[=:]\s*[\"']?(?=[\w.~+/=-]{8})"
    r"|(?i:\b[\w-]*(?:passw(?:or)?d|api[_-]?key|secret[_-]?(?:access[_-]?)?key|client[_-]secret"
    r"|access[_-]token|auth[_-]token)[\"']?\s*[=:]\s*[\"']?)(?=[^\s\"',;]{4}))"
    r"(?!-?[\d.]+(?:e-?\d+)?(?:[\s\"',;}\]]|\Z))([^\s\"',;@\\}]{4,})"  # a number is none
)


def mask(text: str) -> str:
    """Return `text` without what looks like a secret.

    >>> mask("export HF_TOKEN=hf_abcdefghijklmnopqrstuvwx; pad_token=<pad>, PAD_TOKEN=50256")
    'export HF_TOKEN=[secret]; pad_token=<pad>, PAD_TOKEN=50256'
    >>> mask("Authorization: Bearer abc.def-123456, db at postgres://ada:hunter2@host")
    'Authorization: Bearer [secret], db at postgres://ada:[secret]@host'
    >>> mask("aws_secret_access_key = wJalrXUtnFEMIK7, x-api-key: 3f2a9b8c; EOS_TOKEN: 1234567.5")
    'aws_secret_access_key = [secret], x-api-key: [secret]; EOS_TOKEN: 1234567.5'
    """
    if BEGIN in text:
        text = _BLOCK.sub(MASK, text)
    return _NAMED.sub(lambda found: f"{found[1]}{MASK}", _SHAPES.sub(MASK, text))


class Masker:
    """Masks a log that comes in pieces: what may go on in the next piece is held back."""

    def __init__(self) -> None:
        self.held = ""

    def feed(self, piece: str) -> str:
        """Take a piece in; return what is whole by now, masked."""
        self.held += piece
        end = self.held.rfind("\n") + 1
        open_ = self.held.rfind(BEGIN, 0, end)
        if open_ >= 0 and END not in self.held[open_:end] and end - open_ < LONGEST_BLOCK:
            end = self.held.rfind("\n", 0, open_) + 1
        whole, self.held = self.held[:end], self.held[end:]
        return mask(whole)

    def rest(self) -> str:
        """Return what was held back to the end."""
        whole, self.held = self.held, ""
        return mask(whole)
