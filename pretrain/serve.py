"""The process in which the experiment's model answers `evaluate.py`. Read-only during experiments.

It loads the model by the experiment's own `train.load_model(run_dir, device)`. Of what is held out
it sees the tokens that it is asked to score, some of them with other tokens behind them.
"""

from shared import device as devices
from shared import model_server
from shared import run as runs


def main() -> None:
    """Answer until nobody asks any more."""
    requests, run = model_server.Requests(), runs.here(__file__)
    device = devices.pick(run.needs)
    try:
        from train import load_model
    except ImportError:
        model_server.failed(requests, "train.py has no load_model(run_dir, device); restore it")
    model_server.answer_tokens(requests, load_model(run.dir, device), device)


if __name__ == "__main__":
    main()
