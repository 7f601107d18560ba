"""`lab report`: collected as plain data, written as one page of HTML or as Markdown."""

from .collect import collect, leaf_report
from .markdown import write_up
from .page import page

__all__ = ["collect", "leaf_report", "page", "write_up"]
