"""The units of what `--json` prints, each as a type."""

from typing import Annotated

Seconds = Annotated[float, "s"]
Dollars = Annotated[float, "US dollars"]
Metric = Annotated[float, "the metric's"]  # a value, a gain, a spread
Chance = Annotated[float, "0 to 1"]
Time = Annotated[str, "UTC, ISO 8601"]
ExperimentId = Annotated[str, "e34"]
HypothesisId = Annotated[str, "h12"]
Commit = Annotated[str, "git commit"]
Flag = Annotated[int, "0 or 1"]  # as the notebook's tables have it
