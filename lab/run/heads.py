"""The head of the notebook's chain, kept in git: refs/lab/chain/BEGINNING, a blob.

The blob says which entry was the newest, its hash, and where the notebook lay. A notebook that was
rewritten, cut short or put in the place of another no longer has that entry.
"""

from collections.abc import Iterator
from pathlib import Path

from .. import repo
from ..notebook import Notebook, chain
from ..system.home import Home

AT = "refs/lab/chain"
BEFORE = "refs/lab/chain-before"  # of notebooks that a person has put another in the place of
DIGITS = 16


def keep(main: Path, home: Home, book: Notebook) -> None:
    """Note the newest entry in git."""
    number, digest = chain.head(book)
    text = f"{number} {digest}\n{home}\n"
    blob = repo.git("hash-object", "-w", "--stdin", cwd=main, text=text).strip()
    repo.git("update-ref", f"{AT}/{chain.first(book)[:DIGITS]}", blob, cwd=main)


def faults(main: Path, home: Home, book: Notebook) -> Iterator[str]:
    """Yield a sentence for each entry that git knows of this notebook and that is not in it."""
    own = chain.first(book)[:DIGITS]
    for name, number, digest, at in _known(main):
        if name == own and not chain.has(book, number, digest):
            yield f"record {number}, which git knows ({AT}/{name}), is not in the notebook's chain"
        elif name != own and at == str(home):
            yield f"another notebook lay here before ({AT}/{name}); by your doing: lab doctor --fix"


def accept(main: Path, home: Home, book: Notebook) -> None:
    """Take this notebook for the one that belongs here; what git knew of others is kept aside."""
    own = chain.first(book)[:DIGITS]
    for name, _, _, at in _known(main):
        if name != own and at == str(home):
            blob = repo.git("rev-parse", f"{AT}/{name}", cwd=main).strip()
            repo.git("update-ref", f"{BEFORE}/{name}", blob, cwd=main)
            repo.git("update-ref", "-d", f"{AT}/{name}", cwd=main)


def _known(main: Path) -> Iterator[tuple[str, int, str, str]]:
    """Yield what git knows: the chain's beginning, an entry's number and hash, where it lay."""
    listing = repo.git("for-each-ref", "--format=%(refname)", f"{AT}/", cwd=main)
    for ref in listing.split():
        entry, _, at = repo.git("cat-file", "blob", ref, cwd=main).partition("\n")
        number, _, digest = entry.partition(" ")
        if number.isdigit():
            yield ref.removeprefix(f"{AT}/"), int(number), digest, at.strip()
