"""A coding agent that does as its brief says, until `lab result` says that the session is over.

python researcher.py EXPERIMENTS < brief      or      python researcher.py EXPERIMENTS FILE
"""

import sys
from pathlib import Path

from hands import baseline, experiment, say

brief = Path(sys.argv[2]).read_text() if len(sys.argv) > 2 else sys.stdin.read()
if "lab run" not in brief or "# Facts of" not in brief:
    sys.exit(f"this is no brief: {brief[:200]!r}")
baseline()
for _ in range(int(sys.argv[1])):
    said = experiment()
    say(type="message", text=said)
    if "session over" in said:
        break
usage = {"input_tokens": 1000, "output_tokens": 100}
say(type="result", usage=usage, total_cost_usd=0.25)
