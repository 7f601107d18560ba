"""What a run may see: its own folders, its Python and model caches, and nobody else's work."""

import contextlib
import glob
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from . import View

# Where people's own files, programs' sockets and everybody's temporary files lie.
NOBODYS = ("/home", "/root", "/run", "/media")
# Of /run, what a program needs to find a host's name, a GPU's libraries or the system's programs.
OF_RUN = (
    *("/run/systemd/resolve", "/run/resolvconf", "/run/nvidia-persistenced", "/run/nvidia"),
    *("/run/opengl-driver", "/run/opengl-driver-32", "/run/current-system", "/run/booted-system"),
)
GPUS = ("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg", "/dev/accel*", "/dev/infiniband")
# Where libraries keep downloaded models and data: by variable, else below the home folder.
CACHES = (
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE"),
    *("TRANSFORMERS_CACHE", "TORCH_HOME", "TIKTOKEN_CACHE_DIR"),
)
USUAL = ("huggingface", "torch", "tiktoken", "modelscope", "openml")
ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"
ASK_LIMIT_S = 60  # an interpreter on a cold network disk takes seconds to start


def base(
    *,
    python: str,
    private: Iterable[Path],
    readable: Iterable[Path],
    imported: Iterable[str],
    environ: Mapping[str, str],
    network: bool,
    gpu: bool,
    fresh: str = "",
) -> View:
    """Return what every command of a run sees, before the folders of its stage.

    `private` are the checkouts, the notebook's folder and the queue's; `readable` are folders that
    the leaf or the person named, `imported` those of a person's PYTHONPATH. A library's cache is
    written to only by a run with a network, which could fetch anything: else one run would leave
    something there for the next. What a variable names is nothing private, nor inside of it.
    """
    secret = [str(one) for one in private]
    caches = _unless_inside(_caches(environ), secret)
    imported = [os.path.abspath(path) for path in imported]
    installed = [path for path in _of_python(python) if path not in imported]
    named = _unless_inside(imported, secret)
    seen = [*OF_RUN, *map(str, readable), *named, *installed]
    kept = _unless_private([*seen, *([] if network else caches)], secret)
    notebooks = [f"{path}/.lab" for path in kept]
    return View(
        hidden=(*NOBODYS, *secret, *notebooks),
        own=("/tmp", "/var/tmp", *_homes(environ)),
        readable=tuple(kept),
        writable=tuple(_unless_private(caches, secret) if network else ()),
        devices=tuple(path for sign in GPUS for path in sorted(glob.glob(sign))) if gpu else (),
        network=network,
        fresh=fresh,
    )


def _homes(environ: Mapping[str, str]) -> list[str]:
    """Return the person's home folder, by the environment and by the system."""
    found = [environ.get("HOME", "")]
    with contextlib.suppress(KeyError):  # a user without an entry, as in many containers
        found.append(pwd.getpwuid(os.getuid()).pw_dir)
    return [path for path in found if os.path.isabs(path) and os.path.realpath(path) != "/"]


def _caches(environ: Mapping[str, str]) -> list[str]:
    """Return the folders in which libraries keep models and data, those that are there."""
    named = [environ.get(name, "") for name in CACHES]
    above = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", "/"), ".cache")
    named += [os.path.join(above, name) for name in USUAL]
    return [path for path in named if os.path.isabs(path) and os.path.isdir(path)]


def _of_python(python: str) -> list[str]:
    """Return the folders that an interpreter and what is installed for it lie in."""
    prefix = os.path.dirname(os.path.dirname(python))
    real = os.path.dirname(os.path.dirname(os.path.realpath(python)))
    if python == sys.executable:
        return [prefix, real, sys.prefix, sys.base_prefix, *filter(os.path.isabs, sys.path)]
    itself = [python, os.path.realpath(python)]  # a wrapper may lie anywhere
    return [prefix, real, *itself, *filter(os.path.isabs, _asked(python))]


def _asked(python: str) -> list[str]:
    """Return what another interpreter says of itself; nothing where it does not answer."""
    try:
        asked = subprocess.run(
            [python, "-c", ASK],
            capture_output=True,
            text=True,
            timeout=ASK_LIMIT_S,
            check=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
        return [str(path) for path in json.loads(asked.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def _unless_inside(paths: Iterable[str], private: Iterable[str]) -> list[str]:
    """Return the folders that do not lie in a private one, wherever links lead."""
    own = [os.path.realpath(path) for path in private]
    found = []
    for path in paths:
        real = os.path.realpath(path)
        if not any(f"{real}/".startswith(f"{one}/") for one in own):
            found.append(path)
    return found


def _unless_private(paths: Sequence[str], private: Iterable[str]) -> list[str]:
    """Return the folders that show nothing private as a whole: neither one nor what one lies in."""
    own = [os.path.realpath(path) for path in private]
    found = []
    for path in map(os.path.realpath, paths):
        if path != "/" and not any(f"{one}/".startswith(f"{path}/") for one in own):
            found.append(path)
    return list(dict.fromkeys(found))
