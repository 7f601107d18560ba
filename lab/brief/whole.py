"""`lab brief`: an agent's prompt; protocol, facts, the person's page, context, failures."""

from importlib import resources
from shlex import quote

from ..leaf import Knob, live
from ..notebook import Notebook, ideas
from ..text import CHARACTERS_A_TOKEN, block, span
from ..workspace import Workspace
from .context import context
from .context_text import context_text
from .failures import failures_text

CONTEXT_TOKENS, FAILURES_TOKENS = 1500, 500
CUT = "\n... (cut here; the rest is in the file)"


def whole(workspace: Workspace, book: Notebook, tokens: int, opening: str = "") -> str:
    """Return everything an agent should read before it begins, within `tokens`.

    `opening` goes first: what happened at the end of the session before. The person's page is
    read from the main checkout as it stands, committed or not; it is what gives way when the
    whole is too long, since the agent can open the file.
    """
    found = context(workspace, book, None, CONTEXT_TOKENS)
    failures = ideas.failures(book, workspace.leaf_name, None, 10)
    parts = {
        "protocol": resources.files("lab").joinpath("PROTOCOL.md").read_text(encoding="utf-8"),
        "facts": facts(workspace),
        "program": block(workspace.program()),
        "context": f"# Where it stands\n\n{context_text(found, CONTEXT_TOKENS, failures=False)}",
        "failures": f"# Failures\n\n{failures_text(failures, FAILURES_TOKENS)}",
    }
    if opening:
        parts = {"opening": opening} | parts
    over = len(_joined(parts)) - tokens * CHARACTERS_A_TOKEN
    for name in ("program", "failures", "context", "protocol"):
        if over > 0:
            kept = max(0, len(parts[name]) - over - len(CUT))
            parts[name] = parts[name][:kept] + CUT
            over = len(_joined(parts)) - tokens * CHARACTERS_A_TOKEN
    return _joined(parts)


def _joined(parts: dict[str, str]) -> str:
    return "\n\n".join(part.strip() for part in parts.values() if part.strip()) + "\n"


def facts(workspace: Workspace) -> str:
    """Return what leaf.toml says about this profile, in the words an agent needs."""
    leaf, settings = workspace.leaf, workspace.settings
    limits = f"budget {span(settings.budget_s)} of training ({settings.clock} clock)"
    lines = [
        f"# Facts of {leaf.name}",
        "",
        leaf.purpose,
        f"- metric: {settings.metric}, {settings.direction}",
        f"- you may change: {', '.join(settings.mutable)} (and notes.md)",
        f"- frozen: {', '.join(settings.frozen)}, leaf.toml, shared/",
        f"- read before you propose: {', '.join(settings.mutable)}, notes.md (what earlier "
        "sessions wrote)",
        f"- profile {settings.profile} on {workspace.scope.platform}: {limits}, hard limit "
        f"{span(settings.timeout_s)}",
    ]
    if workspace.place.campaign is None:
        lines.append(
            "- you stand in no campaign's worktree; before you edit: "
            f'cd "$(lab worktree {quote(leaf.name)} NAME)"'
        )
        names = ", ".join(name for name in leaf.profiles if name != settings.profile)
        lines += [f"- other profiles: {names}; a campaign keeps to one"] if names else []
    if settings.constraints:
        lines.append(f"- constraints: {', '.join(one.text for one in settings.constraints)}")
    knobs = _turnable(workspace)
    if knobs:
        lines.append("- knobs, with the reason for each:")
        lines += [f"  - {knob.name}: {_range(knob)}; {knob.why}" for knob in knobs]
    return "\n".join(lines)


def _turnable(workspace: Workspace) -> list[Knob]:
    """Return the knobs that the files as they are still read."""
    top = workspace.place.top
    files = {path: top / path for path in workspace.mutable_paths if path.endswith(".py")}
    alive = live.constants({path: f.read_bytes() for path, f in files.items() if f.is_file()})
    return [knob for knob in workspace.leaf.knobs.values() if knob.name in alive or not files]


def _range(knob: Knob) -> str:
    if knob.choices:
        return " | ".join(map(str, knob.choices))
    return f"{knob.low:g} to {knob.high:g}{' (log)' if knob.log else ''}"
