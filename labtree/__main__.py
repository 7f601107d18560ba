"""The command `lab`, and `python -m labtree`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the command line: that of this very installation, whatever else is called `lab`."""
    inside = (HERE / "lab" / "cli").is_dir()
    sys.path.insert(0, str(HERE if inside else HERE.parent))
    from lab.cli import main as command

    command()


if __name__ == "__main__":
    main()
