"""Acts: stop, a lesson, a star, a tag, a note, an idea; each a form, recorded with its author."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..campaign import stop as stopping
from ..errors import NotFound, Usage
from ..notebook import Notebook, lookup, record, tags
from ..page.html import Safe, join, said, tag
from ..workspace import Workspace
from .address import experiment_address, leaf_address

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Acts:
    """The forms that a reader is shown: none without the token."""

    allowed: bool

    def stop(self, what: str) -> Safe:
        """Return the button that ends a run or a campaign, behind one that asks again."""
        if not self.allowed:
            return join()
        sure = tag("button", f"stop {what}", type="submit", class_="danger")
        form = tag("form", _hidden("what", what), sure, method="post", action="/act/stop")
        return tag("details", tag("summary", "stop"), form, class_="stop", id=f"stop-{_id(what)}")

    def mark(self, number: int, tagged: list[str]) -> Safe:
        """Return the star, the tags with their way out, and the form for another one."""
        if not self.allowed:
            return join()
        starred = tags.STAR in tagged
        star = self._tag(number, tags.STAR, "☆ unstar" if starred else "★ star", starred)
        others = [
            self._tag(number, one, f"#{one} \u00d7", True) for one in tagged if one != tags.STAR
        ]
        name = _text("tag", "a word", "another tag")
        new = tag("form", _hidden("e", str(number)), name, tag("button", "tag", type="submit"),
                  method="post", action="/act/tag")  # fmt: skip
        return tag("div", star, others, new, class_="acts")

    def _tag(self, number: int, name: str, words: str, gone: bool) -> Safe:
        fields = [_hidden("e", str(number)), _hidden("tag", name)]
        fields += [_hidden("gone", "1")] if gone else []
        button = tag("button", said(words), type="submit")
        return tag("form", fields, button, method="post", action="/act/tag")

    def note(self, number: int) -> Safe:
        """Return the forms that write a note to an experiment, and a lesson that it shows."""
        if not self.allowed:
            return join()
        return tag(
            "div",
            _written("note", "a note for whoever looks at it next", _hidden("e", str(number))),
            _written("lesson", "a lesson that it shows, for all", _hidden("e", str(number))),
            class_="acts",
        )

    def idea(self, campaign: str) -> Safe:
        """Return the form that queues an idea for a campaign."""
        if not self.allowed:
            return join()
        claim = _text("claim", "what to change", "claim")
        why = _text("mechanism", "why it should work", "mechanism")
        queue = tag("button", "queue it", type="submit")
        whose = _hidden("campaign", campaign)
        form = tag("form", whose, claim, why, queue, method="post", action="/act/idea")
        head = tag("summary", "an idea for it")
        return tag("details", head, form, class_="idea", id=f"idea-{_id(campaign)}")


def _written(act: str, words: str, hidden: Safe) -> Safe:
    area = tag("textarea", name="text", rows=2, required=True, placeholder=words, aria_label=words)
    return tag("form", hidden, area, tag("button", act, type="submit"), method="post",
               action=f"/act/{act}")  # fmt: skip


def _text(name: str, words: str, label: str) -> Safe:
    return tag("input", name=name, required=True, placeholder=words, aria_label=label, dir="auto")


def _hidden(name: str, value: str) -> Safe:
    return tag("input", type="hidden", name=name, value=value)


def _id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}", text)


# -- Done ------------------------------------------------------------------------


class Doer:
    """The acts themselves: what the commands of their names do."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.known: dict[str, Callable[[Notebook, Fields], str]] = {
            "stop": self.stop,
            "lesson": self.lesson,
            "tag": self.tag,
            "note": self.note,
            "idea": self.idea,
        }

    def do(self, act: str, fields: Fields) -> str:
        """Do what a form asks for; return the address to go on at."""
        if act not in self.known:
            raise NotFound(f"there is no act {act}.", f"There are: {', '.join(self.known)}")
        with self.workspace.open(write=True) as book:
            return self.known[act](book, fields)

    def stop(self, book: Notebook, fields: Fields) -> str:
        """End a run or a campaign, as `lab stop` does, which is an event."""
        what = fields.get("what", "")
        if not what:
            raise Usage("say what to stop.", "Press the button beside it.")
        for _ in stopping.stop(self.workspace, book, what):
            pass
        if not re.fullmatch(r"e\d+", what):  # a run's end is an event already
            with book.write():
                book.event("stop", what, f"by {book.who}")
        return "/"

    def lesson(self, book: Notebook, fields: Fields) -> str:
        """Keep a finding that an experiment shows."""
        row = _experiment(book, fields)
        words = record.text("lesson", fields.get("text", ""), "lab lesson TEXT --evidence e3")
        record.lesson(book, leaf=row["leaf"], words=words, evidence=[row["id"]])
        return leaf_address(row["leaf"]) + "#lessons"

    def tag(self, book: Notebook, fields: Fields) -> str:
        """Tag an experiment, or take a tag away."""
        row = _experiment(book, fields)
        tags.tag(book, row["id"], tags.word(fields.get("tag", "")), gone=bool(fields.get("gone")))
        return experiment_address(row["id"])

    def note(self, book: Notebook, fields: Fields) -> str:
        """Write a note to an experiment."""
        row = _experiment(book, fields)
        tags.note(book, row["id"], record.text("note", fields.get("text", ""), "lab note e34 TEXT"))
        return experiment_address(row["id"]) + "#notes"

    def idea(self, book: Notebook, fields: Fields) -> str:
        """Write a hypothesis down for a campaign, whose next session finds it among its own."""
        campaign = lookup.campaign(book, fields.get("campaign"))
        if campaign is None:
            raise NotFound("there is no such campaign.", "See which there are: lab status")
        command = "lab hypothesis CLAIM -m MECHANISM"
        claim = record.text("claim", fields.get("claim", ""), command)
        mechanism = record.text("mechanism", fields.get("mechanism", ""), command)
        record.hypothesis(
            book,
            leaf=campaign["leaf"],
            claim=claim,
            mechanism=mechanism,
            campaign=campaign["name"],
        )
        return "/"


def _experiment(book: Notebook, fields: Fields) -> sqlite3.Row:
    return book.need(f"e{fields.get('e', '')}", "e")
