"""Write the skill of this repository's plugin: the pages that `lab skills install` writes.

python docs/plugin.py            # make docs
python docs/plugin.py --check    # make check: is it of this version?
"""

import sys
from pathlib import Path

from lab.cli.hosts import command_page
from lab.skills.pages import pages

SKILL = Path(__file__).resolve().parents[1] / "skills/labtree"


def main() -> None:
    """Write what differs, or name it and fail."""
    stale = []
    for name, text in pages(command_page()).items():
        file = SKILL / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(f"skills/labtree/{name}")
            if "--check" not in sys.argv:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"{', '.join(stale)}: of another version. Write them again: make docs")


if __name__ == "__main__":
    main()
