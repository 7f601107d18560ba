"""Make the README's pictures from the notebook of this checkout: the board and the plot.

python docs/pictures.py pretrain        # writes docs/board.svg and docs/plot.png
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

from lab.views import board, board_text, plot
from lab.workspace import Workspace

DOCS = Path(__file__).parent
COLUMNS = 84


def main(leaf: str) -> None:
    """Draw what `lab board LEAF` and `lab plot LEAF` show."""
    with Workspace(DOCS.parent, leaf=leaf).open() as book:
        found = board.board(book, leaf)
        plot.plot(book, leaf, DOCS / "plot.png")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    board_text.show([found], console)
    drawn = console.export_svg(title=f"lab board {leaf}", theme=SVG_EXPORT_THEME, unique_id="board")
    own = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.S)  # no font from a network
    (DOCS / "board.svg").write_text(own.replace("Fira Code, monospace", "monospace"))


if __name__ == "__main__":
    main(*sys.argv[1:])
