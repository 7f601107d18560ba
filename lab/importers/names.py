"""What the name of a column says: a score, a cost, a setting, an id; and which way is better."""

import re

from .values import Direction, direction

# Words of names, in lower case. Found in logs of nights that people published.
_LOWER = """
    loss bpb bpc ppl perplexity error err errors nll mse rmse mae wer cer ter fid kid fvd eer
    mape smape rmsle brier ece latency regret distance divergence kl crps residual misses
    runtime time seconds secs sec ms duration wall cost
"""
LOWER = frozenset(_LOWER.split())
_HIGHER = """
    acc accuracy reward score f1 auc auroc auprc ap map bleu rouge rougel meteor chrf psnr ssim
    ndcg mrr recall precision hit hits win wins winrate pass solved solve success r2 iou miou
    dice throughput return returns elo fitness correct exact em em1 tps fps qps speedup mfu
    utility likelihood
"""
HIGHER = frozenset(_HIGHER.split())
_NO_SCORE = "runtime time seconds secs sec ms duration wall cost tps fps qps mfu"
SCORES = (LOWER | HIGHER | {"metric", "objective", "value", "measure", "quality"}) - frozenset(
    _NO_SCORE.split()
)
_GENERIC = """
    metric objective value score measure result final eval val mean avg
"""
GENERIC = frozenset(_GENERIC.split())
_HELD_OUT = """
    val valid validation eval test dev holdout heldout
"""
HELD_OUT = frozenset(_HELD_OUT.split())
_COSTS = """
    mem memory vram ram mfu tok toks token tokens second seconds secs sec s ms time wall size
    param params cost usd rate cycle cycles flops gb mb kb hours hour minutes duration runtime
    util throughput tps fps qps power energy
"""
COSTS = frozenset(_COSTS.split())
_SETTINGS = """
    lr learning_rate wd width depth batch layers heads dim hidden dropout temperature beta alpha
    gamma momentum rank warmup warmdown clip delta diff change improvement improv gain std sd se
    stderr ci var variance target threshold lines loc budget prio priority
"""
SETTINGS = frozenset(_SETTINGS.split())
_COUNTS = """
    id ids idx index uid uuid guid hash seed seeds n num no count counter step steps epoch
    epochs iter iters iteration iterations round rounds trial trials run runs exp experiment
    attempt attempts line row generation gen version port pid rev revision worker gpu
"""
COUNTS = frozenset(_COUNTS.split())
_BEFORE = """
    before prev previous old prior earlier initial baseline incumbent parent reference ref orig
    original start
"""
BEFORE = frozenset(_BEFORE.split())
_RATES = """
    tok toks token tokens it iter samples images img requests req
"""
RATES = frozenset(_RATES.split())


def words(name: str) -> frozenset[str]:
    """Return the words of a name, in lower case.

    >>> sorted(words("valLoss (bpb)")), sorted(words("top1_acc"))
    (['bpb', 'loss', 'val', 'valloss'], ['acc', 'top1'])
    """
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return frozenset(re.findall(r"[^\W\d_]+\d*", f"{apart} {name}".lower()))


def bare(name: str) -> str:
    """Return a name as one compares it: `Val Loss (↓)` is `val_loss`."""
    plain = re.sub(r"\(.*?\)|\[.*?\]|[↓↑]", " ", name.lower())
    return "_".join(re.findall(r"\w+", plain.replace("_", " ")))


def same(one: str | None, other: str | None) -> bool:
    """Say whether two names are of one metric."""
    return one is not None and other is not None and bare(one) == bare(other) != ""


def rank(name: str) -> int | None:
    """Return how much a name sounds like what a log decides by, 0 most; None where it cannot be.

    >>> [rank(name) for name in ("val_bpb", "loss", "train_loss", "ops", "tok_s", "lr")]
    [0, 1, 2, 3, 4, 5]
    >>> [rank(name) for name in ("config_id", "metric_before", "iteration")]
    [None, None, None]
    """
    found = words(name)
    if found & BEFORE or (found & COUNTS and not found & SCORES) or found & {"id", "uuid", "seed"}:
        return None
    if found & SETTINGS:
        return 5
    if found & SCORES:
        aside = found & {"train", "training", "best"}
        return 2 if aside else 0 if found & HELD_OUT else 1
    if found & COSTS:
        return 4
    return 0 if found & HELD_OUT else 3


def by_name(name: str) -> Direction | None:
    """Return which way a metric is better, by its name alone.

    >>> by_name("val_bpb"), by_name("WER"), by_name("eval_reward_mean"), by_name("tok_s")
    ('minimize', 'minimize', 'maximize', 'maximize')
    >>> by_name("frobs") is None
    True
    """
    found = words(name)
    if direction(name):
        return direction(name)
    if found & RATES and found & {"s", "sec", "second", "seconds", "per"}:
        return "maximize"
    if found & LOWER:
        return "minimize"
    if found & HIGHER:
        return "maximize"
    return "minimize" if found & {"s", "memory", "mem", "vram", "gb", "mb"} else None


def is_generic(name: str) -> bool:
    """Say whether a name only says that it is the metric: `score`, `metric_value`."""
    return bool(words(name)) and words(name) <= GENERIC
