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

from . import letter_sorting_task, prompts, run, scoring, tiny

META = "meta.json"
Sets = tuple[list[prompts.Pair], list[prompts.Pair], list[prompts.Pair]]


def once(
    here: run.Run, script: str, depends_on: Iterable[str], make: Callable[[], dict[str, Any]]
) -> None:
    """Call `make` unless the cache holds what it made from the same script, settings and `task/`.

    `depends_on` names the settings of leaf.toml that it uses; what it returns goes to meta.json.
    """
    started, key = time.perf_counter(), fingerprint(here, script, depends_on)
    apart = (here.held_out / prompts.HELD_OUT).exists()
    if apart and read(here, missing_ok=True).get("key") == key:
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
    counts = f"{meta['train']:,} prompts to train on, {meta['held_out']:,} held out"
    run.say(f"made {here.cache} in {meta['seconds']} s: {counts}")


def fingerprint(here: run.Run, script: str, depends_on: Iterable[str]) -> str:
    """Return the hash of the script, of what it uses from here, of settings and `task/`."""
    settings = {name: here.settings.get(name) for name in depends_on}
    digest = hashlib.sha256(json.dumps([settings, sys.version], sort_keys=True).encode())
    ours = (module.__file__ for module in (letter_sorting_task, prompts, scoring, tiny))
    for source in (script, __file__, *ours):
        digest.update(Path(str(source)).read_bytes())
    for file in sorted((here.leaf / "task").glob("*.*")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def read(here: run.Run, missing_ok: bool = False) -> dict[str, Any]:
    """Return meta.json, or stop with what to type when there is none."""
    try:
        meta = json.loads((here.cache / META).read_text(encoding="utf-8"))
        return dict(meta)
    except (OSError, ValueError):
        if missing_ok:
            return {}
        raise SystemExit(f"no data in {here.cache}; type: python prepare.py") from None


def data(here: run.Run, embedded: Callable[[], prompts.Both]) -> Sets:
    """Return training, held-out, sealed pairs: own ones, the `source` of leaf.toml, or embedded.

    Whatever they are, no held-out prompt is among those to train on. Sealed are as many again of
    those held out, where there are more.
    """
    source = str(here.settings.get("source", "embedded"))
    both = prompts.own(here.leaf)
    if both is None:
        both = embedded() if source == "embedded" else prompts.fetch(source)
    most = int(here.settings.get("held_out", 10**6))
    train, held, sealed = both[0], both[1][:most], both[1][most : 2 * most]
    prompts.check_apart(train, held + sealed)
    return train, held, sealed


def keep(here: run.Run, sets: Sets) -> dict[str, int]:
    """Write the pairs, those held out apart; return the others' counts for meta.json."""
    train, held, sealed = sets
    prompts.write(here.cache / prompts.TRAIN, train)
    run.make_folder(here.held_out)
    prompts.write(here.held_out / prompts.HELD_OUT, held)
    if here.sealed and sealed:
        prompts.write(here.sealed / prompts.HELD_OUT, sealed)
    return {"train": len(train), "held_out": len(held)}
