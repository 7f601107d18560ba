"""What `lab status` and `lab loop` print as JSON."""

from typing import Literal, TypedDict

from .experiments import Stage, Verdict
from .leaves import Place
from .units import Dollars, ExperimentId, Metric, Seconds, Time

How = Literal["limit", "target", "stagnation", "stopped"]
State = Literal["working", "waiting", "ended", "stopped", "dead", "by hand"]


class LiveRun(TypedDict):
    """A run that is alive."""

    experiment: ExperimentId  # which one
    run: int | None  # its number in the notebook
    seed: int | None  # what LAB_SEED is
    leaf: str  # its leaf
    campaign: str | None  # whose it is
    status: Stage  # how far it is
    stage: str  # what it is at, in words
    claim: str | None  # what is tried; null for a baseline
    for_s: Seconds  # since it started, or was asked for
    position: int | None  # the place in the queue; null when it does not wait
    eta_s: Seconds | None  # the wait to expect


class Session(TypedDict):
    """A session of a coding agent, the newest."""

    number: int  # its number in the notebook
    agent: str  # who
    alive: bool  # whether it is at work
    for_s: Seconds  # from its start until now, or to its end
    how: str | None  # how it ended
    exit_code: int | None  # of its process
    tokens: int | None  # what it used, where it says so


class Value(TypedDict):
    """An experiment and what it measured."""

    experiment: ExperimentId  # which one
    value: Metric | None  # the mean over its runs


class Campaign(TypedDict):
    """One campaign: who works on what, and how it stands."""

    campaign: str  # its name, LEAF/NAME
    leaf: str  # its leaf
    agent: str | None  # who works
    worktree: str  # where
    alive: bool  # whether its loop is at work
    state: State  # dead: its process is gone; by hand: it never had a loop
    why: str | None  # what its loop waits for, or ended by
    waiting_until: Time | None  # until when a usage limit holds
    session: Session | None  # the agent's newest session
    experiments: int  # ideas it has tried
    keeps: int  # of those, how many were kept
    experiment: ExperimentId | None  # its newest experiment
    status: Stage | Literal["idle"]  # how far that one is
    verdict: Verdict | None  # what became of that one
    run: LiveRun | None  # its run that is alive
    began_at: Value | None  # what it started from
    best: Value | None  # what it builds on now
    cost_usd: Dollars | None  # what its sessions and runs cost; null for nothing
    last_line: str | None  # what it printed last


class Status(TypedDict):
    """What is alive."""

    campaigns: list[Campaign]  # the newest first
    runs: list[LiveRun]  # what supervisors own now
    slots: list[Place]  # who has which device
    queue: list[Place]  # who waits for one, in turn


class Summary(TypedDict):
    """What a loop did and learned."""

    campaign: str  # its name, LEAF/NAME
    ending: How  # how it ended
    why: str  # that in words
    experiments: int  # experiments it judged
    kept: list[ExperimentId]  # those kept
    discarded: int  # how many were discarded
    crashed: int  # how many crashed
    metric: str  # the name of the metric that decides
    incumbent: ExperimentId | None  # what it stands at
    value: Metric | None  # the value of that
    seconds: Seconds  # how long it worked
    cost_usd: Dollars | None  # what its sessions and runs cost; null for nothing
    learned: list[str]  # a line on each experiment
    next: str | None  # what to type about what it kept; null where nothing is provisional
