"""What `lab context`, `lab failures`, `lab board` and `lab plot` print as JSON."""

from typing import Literal, NotRequired, TypedDict

from .experiments import GainStatus, Outcome, Paired, Reference, Stage, Verdict
from .units import Chance, Commit, ExperimentId, HypothesisId, Metric, Seconds

Direction = Literal["minimize", "maximize"]
Suggest = Literal["baseline", "audit", "combine"]
Kind = Literal["dead_end", "unsettled"]


class Counts(TypedDict):
    """How many experiments a leaf has, and what became of them."""

    experiments: int  # all of them
    keep: int  # kept, baselines among them
    baselines: int  # of those kept, how many are baselines
    discard: int  # discarded
    crash: int  # crashed by their own fault
    interrupted: int  # ended by something else: no word on the idea
    archived: int  # out of sight by `lab archive`, counted nowhere else
    overruled: int  # kept against the suggestion
    attempts: int  # edits that failed in their dry run: no experiments


# -- lab context ---------------------------------------------------------------


class Comparable(Counts):
    """The counts, and how many results a changed yardstick left behind."""

    incomparable: int  # results of this profile and platform by another yardstick


class Mine(TypedDict):
    """What this campaign has in flight, without a verdict, or written down and never run."""

    experiment: NotRequired[ExperimentId]  # missing where nothing has run
    hypothesis: HypothesisId | None  # null for a baseline
    claim: str | None  # what the hypothesis says
    status: Stage | Literal["not run", "lost"]  # how far it is; lost: it says nothing, run it again
    value: NotRequired[Metric | None]  # the mean over its runs
    gain: NotRequired[Metric | None]  # against its incumbent; positive is better
    pace: NotRequired[str | None]  # how its runs' machine differed from its incumbent's


class Best(Reference):
    """The best kept or baseline experiment, whichever campaign made it."""

    campaign: str | None  # whose it is


class Noise(TypedDict):
    """What a change of seed does."""

    sd: Metric  # the standard deviation of one run
    df: int  # degrees of freedom: repeats it is known from
    without: list[str]  # experiments left out, whose replicates spread unlike the others'
    unlike: float | None  # noises that the incumbent is above the program it is known from, if far


class Settles(TypedDict):
    """What so many runs can tell from luck."""

    runs: int  # of a change, beside those of its incumbent
    gain: Metric  # the smallest true gain that they show with 95 %


class Idea(TypedDict):
    """What another campaign has written down and not run yet."""

    hypothesis: HypothesisId  # which one
    campaign: str  # whose it is
    claim: str  # what it says


class Flight(TypedDict):
    """An experiment that is queued or running."""

    experiment: ExperimentId  # which one
    leaf: str  # its leaf
    campaign: str | None  # whose it is
    status: Stage  # how far it is
    claim: str | None  # what is tried; null for a baseline


class Place(TypedDict):
    """A run that has a device, or waits for one."""

    label: str  # experiment and seed, e34/0
    campaign: str  # whose it is; main for none
    leaf: str  # its leaf
    kind: str  # gpu or cpu
    device: str | None  # the device it has; null while it waits
    position: int  # 1 is next, 0 has the device
    waiting_s: Seconds | None  # how long it has waited; null with a device
    held_s: Seconds | None  # how long it has had the device
    eta_s: Seconds | None  # the wait to expect, or what is left with the device
    pid: int  # the process that holds the ticket
    home: str  # the folder of its notebook


class Win(TypedDict):
    """A change that was kept."""

    experiment: ExperimentId  # which one
    profile: str | None  # the one it was measured in; another's numbers do not compare
    claim: str | None  # what was changed
    value: Metric | None  # the mean over its runs
    gain: Metric  # above its incumbent's level; positive is better
    gain_status: GainStatus | None  # on which ledger that is
    audited_with: list[ExperimentId]  # changes that the same audit measured in one with it
    mechanism: Outcome | None  # whether the mechanism was seen
    change: str | None  # of the largest gains: the lines changed, or how many and in what
    pace: str | None  # how its runs' machine differed from its incumbent's


class Bagged(TypedDict):
    """A change above the level and below the bar."""

    experiment: ExperimentId  # which one
    claim: str | None  # what was changed
    gain: Metric | None  # above its incumbent's level


class Loss(TypedDict):
    """A dead end; with --for, the failures nearest to the text."""

    experiment: ExperimentId  # which one
    claim: str | None  # what was tried
    mechanism: str | None  # why it should have worked
    kind: Kind  # it ran and lost, or it says too little
    failure: str | None  # the class of failure, where it failed
    pruned: str | None  # where it was ended early: at which rung, how much worse
    gain: Metric | None  # against its incumbent; positive is better
    lesson: str | None  # what was learned from it
    parent: Commit | None  # what it was made from
    mechanism_outcome: Outcome | None  # whether the mechanism was seen
    imported: bool  # whether it came from another tool's log
    leaf: str  # its leaf
    elsewhere: bool  # whether it was tried on a program that today's is not built on


class Failure(TypedDict):
    """A dead end, or an experiment that settled nothing."""

    experiment: ExperimentId  # which one
    hypothesis: HypothesisId | None  # for which it was made
    claim: str | None  # what was tried
    mechanism: str | None  # why it should have worked
    kind: Kind  # it ran and lost, or it says too little
    failure: str | None  # the class of failure, where it failed
    pruned: str | None  # where it was ended early: at which rung, how much worse
    gain: Metric | None  # against its incumbent; positive is better
    mechanism_outcome: Outcome | None  # whether the mechanism was seen
    lesson: str | None  # what was learned from it
    leaf: str  # its leaf
    parent: Commit | None  # what it was made from
    score: Chance | None  # how near it is to the text asked for; null without one
    imported: bool  # whether it came from another tool's log


class DryFailure(TypedDict):
    """An edit that failed in its dry run: the same keys, and no experiment."""

    experiment: None  # there is none
    hypothesis: HypothesisId | None  # for which it was made
    claim: str | None  # what was tried
    mechanism: str | None  # why it should have worked
    kind: Kind  # it ran and lost, or it says too little
    failure: str | None  # the class of failure, where it failed
    gain: Metric | None  # against its incumbent; positive is better
    mechanism_outcome: Outcome | None  # whether the mechanism was seen
    lesson: str | None  # what was learned from it
    leaf: str  # its leaf
    parent: Commit | None  # what it was made from
    score: Chance | None  # how near it is to the text asked for; null without one
    imported: bool  # whether it came from another tool's log


class Lesson(TypedDict):
    """A finding with its evidence."""

    lesson: str  # what was found
    leaf: str  # where
    evidence: list[ExperimentId]  # the experiments that show it


class Axis(TypedDict):
    """A direction of the search."""

    axis: str  # its name
    tried: int  # experiments along it
    kept: int  # of those, how many were kept


class Recent(TypedDict):
    """One of the newest experiments."""

    experiment: ExperimentId  # which one
    claim: str | None  # what was tried; null for a baseline
    status: Stage  # how far it is
    verdict: Verdict | None  # what became of it
    failure: str | None  # the class of failure, where it failed
    value: Metric | None  # the mean over its runs, or what was claimed
    gain: Metric | None  # against its incumbent; positive is better
    imported: bool  # whether another tool's log told it
    claimed: bool  # whether its value was told and not measured here


class Left(TypedDict):
    """What the limits of a campaign at work leave it."""

    experiments: int | None  # to be judged still; null without such a limit
    of: int | None  # that many in all
    seconds: Seconds | None  # of its hours, an audit at the end included; null without such a limit


class Forecasts(TypedDict):
    """What gains were expected (`lab hypothesis --expect`), and what came of them."""

    judged: int  # ideas with an expected gain that have a verdict
    came_true: int  # those that were kept for a gain
    in_full: int  # those whose gain was as large as expected


class Context(TypedDict):
    """Where a leaf stands; sentences and lists are cut so that all fits into --tokens."""

    leaf: str  # its name
    metric: str  # the name of the metric that decides
    direction: str  # minimize or maximize
    profile: str  # the profile that is asked about
    platform: str  # the device's name
    yardstick: str  # a hash over what makes numbers comparable
    counts: Comparable  # experiments, and what became of them
    in_campaign: bool  # whether this is a campaign's worktree
    mine: list[Mine]  # what this campaign has open
    incumbent: Reference | None  # what an edit here is judged against
    level: Metric | None  # what it must beat: the incumbent's mean, less luck
    bar: Metric | None  # what one run must reach for a keep
    bar_after_a_look: Metric | None  # what its mean must reach once seeds were added to the first
    out_of_reach: bool  # whether no number reaches it: a share above 1, an error below 0
    confirmed_gain: Metric | None  # what audits confirmed of this branch
    provisional_gain: Metric | None  # of its level above what was last confirmed
    pairs: Paired | None  # what equal seeds share; null while no audit tells
    bag: list[Bagged]  # near misses on this branch, to be tried together once
    target: Metric | None  # where this campaign ends, if it was told
    forecasts: Forecasts | None  # of this campaign; null where nothing was expected
    left: Left | None  # what this campaign's limits leave; null without any
    best: Best | None  # the best in this profile, platform and yardstick
    noise: Noise | None  # the spread between replicates; null while nothing was repeated
    settles: list[Settles]  # the smallest gains that two and six runs can show
    metrics: dict[str, float]  # what the incumbent reports, the mean over its runs
    running: list[Flight]  # what a supervisor owns now, on every leaf
    queue: list[Place]  # who waits for a device, in turn
    others: list[Idea]  # what other campaigns wrote down lately and did not run yet
    kept: list[Win]  # what was kept, the largest gain first
    failures: list[Loss]  # dead ends, the most telling first
    unsettled: list[Failure]  # what says too little to be called a dead end
    lessons: list[Lesson]  # findings, those of the program as it stands first
    lessons_more: int  # how many there are beside these
    axes: list[Axis]  # directions tried, those that gave most first
    since_keep: int  # experiments judged since the last keep, bugs and lost runs aside
    suggestion: str | None  # the move that is due
    suggest: Suggest | None  # the same in a word, where it has one
    recent: list[Recent]  # the newest experiments, newest first


# -- lab board, lab plot -------------------------------------------------------


class Row(TypedDict):
    """One experiment on the board."""

    experiment: ExperimentId  # which one
    claim: str | None  # what was tried; null for a baseline
    value: Metric | None  # the mean over its runs, or what was claimed
    gain: Metric | None  # against its incumbent; positive is better
    verdict: Verdict | None  # what became of it
    failure: str | None  # the class of failure, where it failed
    commit: Commit | None  # what ran
    seconds: Seconds | None  # its runs together
    status: Stage  # how far it is
    campaign: str | None  # whose it is
    mechanism_outcome: Outcome | None  # whether the mechanism was seen
    runs: int  # how many gave a value
    claimed: bool  # whether its value was typed in rather than measured
    imported: bool  # whether it came from another tool's log
    warm_start: bool  # whether it was trained on from its incumbent's artefact
    se: Metric | None  # the standard error of the gain, as it was kept
    gain_status: GainStatus | None  # of what was kept: on which ledger its gain is
    marks: list[str]  # of what was kept: load, pace, aborted runs


class Leader(Best):
    """The best of the newest profile, platform and yardstick."""

    profile: str | None  # its profile
    platform: str | None  # the device's name


class Going(TypedDict):
    """An experiment of this leaf that is queued or running."""

    experiment: ExperimentId  # which one
    campaign: str | None  # whose it is
    status: Stage  # how far it is
    claim: str | None  # what is tried; null for a baseline


class Block(TypedDict):
    """What was kept in one profile; numbers of two profiles cannot be compared."""

    profile: str | None  # its name
    platform: str | None  # the device's name
    kept: int  # changes kept in its newest yardstick
    best: Leader | None  # the best that was kept
    confirmed_gain: Metric | None  # what audits confirmed
    provisional_gain: Metric | None  # of the branch's level above what was last confirmed


class Pruning(TypedDict):
    """What ending hopeless runs early came to."""

    pruned: int  # runs that were ended early
    saved_s: Seconds  # how much longer their incumbents' runs took
    went_on: int  # hopeless ones that came to a number: every tenth, so that mistakes are counted
    winners: int  # of those, how many were kept or should be


class Board(TypedDict):
    """What was kept on a leaf, and what it is worth; without LEAF a list of them."""

    leaf: str  # its name
    metric: str | None  # the name of the metric that decides
    direction: Direction | None  # which way is better
    experiments: list[Row]  # the newest, oldest of them first
    claimed_gain: Metric | None  # the sum of the gains that lead to the best, luck and all
    confirmed_gain: Metric | None  # what audits confirmed of it; null where none did
    provisional_gain: Metric | None  # of the branch's level above what was last confirmed
    level: Metric | None  # what the next idea on that branch must beat
    over_first: Metric | None  # of that level above the leaf's first baseline
    profiles: list[Block]  # each profile that something was kept in
    expected_gain: Metric | None  # confirmed_gain under its old name, for one release
    counts: Counts  # experiments, and what became of them
    pruning: Pruning | None  # what ending hopeless runs early came to; null where none was hopeless
    self_reported: bool  # whether its script prints its own score, which nothing else measures
    imported: int  # how many of those listed came from another tool's log
    truncated: bool  # whether older ones are left out
    best: Leader | None  # the best that was kept
    best_so_far: list[Metric]  # the best after each experiment that could be compared
    running: list[Going]  # what a supervisor owns now


class Picture(TypedDict):
    """What was drawn."""

    leaf: str  # its name
    file: str  # the picture
    shown: int  # experiments in it
    left_out: int  # experiments of other profiles, platforms or yardsticks
