"""One idea: start it, judge it, move the branch with it, run it again."""
