"""Pages: the components of `lab report` and `lab serve`, HTML by construction, one look.

Data come in plain, text is escaped when it enters a tag, figures are drawn here. Where a link to an
experiment leads is the page's own: a report has it on the page, the server at an address.
"""

from importlib import resources


def asset(name: str, package: str = __package__) -> str:
    """Return a style sheet or a script that lies beside the code of a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
