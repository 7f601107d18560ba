"""Draw the questions that are held out, and as many others that are sealed. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.
"""

import json
from itertools import islice
from pathlib import Path

from world import Office, Task

from shared import run

HOPS = (1, 4)
MORE = 4  # times as many are drawn for the sealed set: half of the short questions are held out


def main() -> None:
    """Write both sets; the same ones whenever and wherever it runs."""
    here, office = run.here(__file__), Office()
    count = int(here.settings["held_out"])
    held = office.tasks(count, HOPS, "held out", held_out=True)
    write(here.held_out, held)
    if here.sealed:
        asked = {task.question for task in held}
        drawn = office.tasks(MORE * count, HOPS, "sealed", held_out=True)
        write(here.sealed, [*islice((task for task in drawn if task.question not in asked), count)])
    run.say(f"made {count} questions")


def write(folder: Path, tasks: list[Task]) -> None:
    """Write questions with their answers."""
    run.make_folder(folder)
    rows = [[task.question, task.answer] for task in tasks]
    (folder / "questions.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
