"""The life of one run, in a process of its own; it knows no workspace."""
