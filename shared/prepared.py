"""What `prepare.py` leaves: made once for each content it depends on, and never half.

`meta.json` is written last; a cache without it, or with another key, is made again.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from shared import answers, pairs, run, sorting, tiny

META = "meta.json"


def once(
    here: run.Run, script: str, told: Iterable[str], make: Callable[[], dict[str, Any]]
) -> None:
    """Call `make` unless the cache holds what it made from the same script, settings and `task/`.

    `told` names the settings of leaf.toml that it depends on; what it returns goes to meta.json.
    """
    started, key = time.perf_counter(), fingerprint(here, script, told)
    if read(here, missing_ok=True).get("key") == key:
        run.say(f"ready: {here.cache}")
        return
    try:
        meta = make() | {"key": key}
        meta["seconds"] = round(time.perf_counter() - started, 1)
        part = here.cache / f"{META}.part"
        part.write_text(json.dumps(meta, indent=1), encoding="utf-8")
        part.replace(here.cache / META)
    except OSError as error:
        raise SystemExit(f"cannot write {here.cache}: {error.strerror}; free some space") from None
    told_counts = f"{meta['train']:,} prompts to train on, {meta['held_out']:,} held out"
    run.say(f"made {here.cache} in {meta['seconds']} s: {told_counts}")


def fingerprint(here: run.Run, script: str, told: Iterable[str]) -> str:
    """Return the hash of the script, of what it uses from here, of settings and `task/`."""
    settings = {name: here.settings.get(name) for name in told}
    digest = hashlib.sha256(json.dumps([settings, sys.version], sort_keys=True).encode())
    ours = (module.__file__ for module in (answers, pairs, sorting, tiny))
    for source in (script, __file__, *ours):
        digest.update(Path(str(source)).read_bytes())
    for file in sorted((here.leaf / "task").glob("*.*")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def read(here: run.Run, missing_ok: bool = False) -> dict[str, Any]:
    """Return meta.json, or stop with what to type when there is none."""
    try:
        found = json.loads((here.cache / META).read_text(encoding="utf-8"))
        return dict(found)
    except (OSError, ValueError):
        if missing_ok:
            return {}
        raise SystemExit(f"no data in {here.cache}; type: python prepare.py") from None


def data(here: run.Run, embedded: Callable[[], pairs.Both]) -> pairs.Both:
    """Return (training, held-out) pairs: the user's own, the `source` of leaf.toml, or embedded.

    Whatever they are, no held-out prompt is among those to train on.
    """
    source = str(here.settings.get("source", "embedded"))
    found = pairs.own(here.leaf)
    if found is None:
        found = embedded() if source == "embedded" else pairs.fetch(source)
    train, held = found[0], found[1][: int(here.settings.get("held_out", 10**6))]
    pairs.check_apart(train, held)
    return train, held


def keep(here: run.Run, found: pairs.Both) -> dict[str, int]:
    """Write the pairs to the cache; return their counts for meta.json."""
    for name, some in zip((pairs.TRAIN, pairs.HELD_OUT), found, strict=True):
        pairs.write(here.cache / name, some)
    return {"train": len(found[0]), "held_out": len(found[1])}
