"""What `lab run`, `lab wait`, `lab show` and `lab log` print as JSON."""

from typing import Literal, NotRequired, TypedDict

from .action import Action
from .units import (
    Chance,
    Commit,
    Dollars,
    ExperimentId,
    Flag,
    HypothesisId,
    Metric,
    Seconds,
    Time,
)

# pruned: ended early, worse than its incumbent's curve by more than luck
Stage = Literal["queued", "running", "finished", "failed", "pruned"]
Verdict = Literal["keep", "discard", "crash"]
# open: within the error of what was wanted, or not reported; trivial: it held before as well
Outcome = Literal["confirmed", "refuted", "open", "trivial"]
GainStatus = Literal["provisional", "confirmed", "not_confirmed", "bagged"]
Source = Literal["measured", "self-reported", "claimed"]  # self-reported: by the training alone


# -- lab run, lab wait ---------------------------------------------------------


class Replicate(TypedDict):
    """One run of the experiment."""

    run: int  # its number in the notebook
    seed: int  # what LAB_SEED was
    value: Metric | None  # what it measured; null without a number
    load: Chance | None  # the share of its time that it waited for a core; null where nobody tells
    seconds: Seconds | None  # from its start to its record, without the wait for a device
    device: str | None  # on which it ran
    confined: str | None  # bwrap, unshare, landlock, rented or none; null where nobody knows
    status: Stage  # how far it is
    failure: str | None  # the class of failure, where it failed
    counts: bool  # whether the experiment's mean is over it too


class Reference(TypedDict):
    """An experiment that others are compared with."""

    experiment: ExperimentId  # which one
    value: Metric | None  # the mean by which it is known
    runs: int  # over how many runs that mean goes


class Paired(TypedDict):
    """How much of a seed's luck two programs share."""

    rho: Chance  # their correlation over equal seeds, shrunk towards none
    runs: int  # pairs of runs it is known from


class AtSeed(TypedDict):
    """A change beside its incumbent at a seed that both have run."""

    seed: int  # which one
    gain: Metric  # of the change's run above the incumbent's; positive is better


class Observation(TypedDict):
    """What was measured of one condition by which a mechanism can be seen."""

    condition: str  # as it was written down
    outcome: Outcome  # what the figures say of it
    source: Source  # who told the metric
    value: float | None  # the metric's mean, or how many times the incumbent's; null: not reported
    error: float | None  # its standard error; null where no program was run twice
    relative: bool  # whether value and condition are in units of the incumbent's mean


class Mechanism(TypedDict):
    """Whether the mechanism was seen at work."""

    outcome: Outcome  # what was seen; with several conditions what all of them say together
    source: Source  # by metrics, or said by the one who gave the verdict
    observable: str | None  # the conditions by which it can be seen
    seen: list[Observation]  # what was measured of each; empty without an observable
    claimed: Outcome | None  # what the one who gave the verdict said, whatever was measured


class Constraints(TypedDict):
    """The leaf's constraints."""

    broken: list[str]  # those that a run broke, as leaf.toml writes them


class Detail(TypedDict, total=False):
    """More on the newest run: its failure, or hints on its numbers."""

    kind: str  # the class of failure
    place: str  # where it happened, train.py:31; "" when unknown
    last: str  # its last words
    says: str  # what this class says about the idea
    hint: str  # what to try
    hints: list[str]  # the leaf's hints whose condition holds, for a run that finished


class Hopeless(TypedDict):
    """The first rung at which a run was worse than its incumbent by more than luck."""

    rung: Chance  # the share of the budget
    series: str  # the number of the step log
    value: float  # of this run there, the mean over the tenth of the budget before
    incumbent: ExperimentId  # with which it was compared
    incumbent_value: float  # of that one's run at the same seed, there
    incumbent_run: int  # the number of that run in the notebook
    noise: float  # the standard deviation of such a difference, as luck makes it
    df: int  # degrees of freedom: repeats it is known from
    margin: float  # how much worse it is, in noises
    bar: float  # how many luck may reach
    spared: bool  # whether it went on to its end, so that mistakes are counted


class Begun(TypedDict):
    """What was run, and what it measured."""

    experiment: ExperimentId  # this one
    hypothesis: HypothesisId | None  # for which it was made; null for a baseline
    leaf: str  # its leaf
    profile: str | None  # its profile
    platform: str | None  # the device's name
    yardstick: str | None  # a hash over what makes numbers comparable
    commit: Commit | None  # what ran
    parent: Commit | None  # what that was made from
    status: Stage  # how far it is
    failure: str | None  # the class of failure, where it failed
    metric: str | None  # the name of the metric that decides
    value: Metric | None  # the mean over its runs; null while nothing is measured
    runs: list[Replicate]  # its runs, oldest first
    metrics: dict[str, float]  # what its newest run reported, evaluate's numbers before train's
    incumbent: Reference | None  # what it is judged against


class Judged(Begun):
    """What was judged of it; all null before there is a number, and for a baseline."""

    gain: Metric | None  # its mean above the level of its incumbent; positive is better
    se: Metric | None  # the standard error of the gain
    p_better: Chance | None  # how likely the true gain is above the least worth having
    level: Metric | None  # what it was compared with: the incumbent's mean, less luck
    suggest: str | None  # by the numbers: keep, replicate, discard or crash
    reason: str | None  # better, simpler, bagged, same, undecided, worse, constraint, failed...
    why: str | None  # the judgement in a sentence
    bar: Metric | None  # what its mean must reach for a keep


class Standing(Judged):
    """How one experiment stands."""

    noise: Metric | None  # the standard deviation of one run, from runs nobody selected
    gain_status: GainStatus | None  # on which ledger its gain is; null where on neither
    confirmed_gain: Metric | None  # what audits confirmed of its branch, all together
    provisional_gain: Metric | None  # of its branch, above what was last confirmed
    pairs: Paired | None  # what equal seeds share; null while no audit tells
    equal_seeds: list[AtSeed]  # the seeds that it and its incumbent have both run
    mechanism: Mechanism | None  # what is known of the mechanism
    constraints: Constraints  # what it broke
    flags: list[str]  # what is odd about its numbers
    marks: list[str]  # what to bear in mind of its numbers: load, pace, aborted runs
    hints: list[str]  # the leaf's hints on its newest run
    lines_changed: int | None  # statements added less those removed, docstrings aside
    log: str | None  # the file its newest run printed into
    seconds: Seconds | None  # its runs together
    cost_usd: Dollars | None  # what rented machines cost; null without any
    position: int | None  # the place in the queue: 1 is next, 0 has the device
    eta_s: Seconds | None  # the wait to expect, or what is left with the device
    next: Action  # the command to type
    verdict: Verdict | None  # what became of it
    detail: Detail  # more on its newest run
    hopeless: Hopeless | None  # where its newest run was hopeless first; null where nowhere
    train_wall_s: Seconds | None  # how long its newest run trained
    setup_s: Seconds | None  # how long exporting and preparing took before
    waited_s: Seconds | None  # how long it waited for a device
    curve: str | None  # its step log beside its incumbent's; null where one left none, or too short


# -- lab audit ----------------------------------------------------------------


class Audit(TypedDict):
    """What an audit came to: a branch's tip and what was last confirmed, run in turn."""

    campaign: str  # whose branch
    leaf: str  # its leaf
    tip: ExperimentId  # the newest kept change
    base: ExperimentId  # what was last confirmed, or the baseline
    conclusion: Literal["confirmed", "open", "back", "cut"]  # open: nothing claimed, nothing undone
    gain: Metric | None  # of the tip against the base; positive is better
    se: Metric | None  # its standard error
    bar: Metric | None  # what the gain had to exceed for a claim
    why: str | None  # what went wrong, where something did
    tip_values: list[Metric]  # what the audit's runs of the tip gave, by seed
    base_values: list[Metric]  # and those of the base, at the same seeds
    tries: int  # chances there were to confirm something on this base; each lifts the bar
    runs: int  # made for it
    seconds: Seconds | None  # those together
    since: list[ExperimentId]  # the changes kept between, oldest first
    try_alone: list[ExperimentId]  # those taken back, the likeliest first; or a tip that crashed
    sure_alone: list[ExperimentId]  # of those, the surely better ones by their own runs (95 %)


# -- lab log -------------------------------------------------------------------


class Entry(TypedDict):
    """One experiment in a line."""

    experiment: ExperimentId  # this one
    hypothesis: HypothesisId | None  # for which it was made; null for a baseline
    claim: str | None  # what the hypothesis says
    status: Stage  # how far it is
    verdict: Verdict | None  # what became of it
    failure: str | None  # the class of failure, where it failed
    value: Metric | None  # the mean over its runs, or what was claimed
    gain: Metric | None  # against its incumbent; positive is better
    commit: Commit | None  # what ran
    parent: Commit | None  # what that was made from
    seconds: Seconds | None  # its runs together
    at: Time  # when it was begun
    leaf: str  # its leaf
    imported: bool  # whether it came from another tool's log
    claimed: bool  # whether its value was typed in rather than measured


class Logged(Entry):
    """The same, with its tags."""

    tags: list[str]  # in the order they were given; `star` is one


class Event(TypedDict):
    """Who did what, when."""

    at: Time  # when
    who: str  # the campaign, or the person
    verb: str  # what was done
    subject: str  # to what
    detail: str | None  # more on it


# -- lab show ------------------------------------------------------------------


class RunRecord(TypedDict):
    """One run as the notebook has it."""

    id: int  # its number in the notebook
    uid: str  # unique in every notebook
    experiment: int  # the number of its experiment
    job: int | None  # the number of the job that made it
    seed: int  # what LAB_SEED was
    at: Time  # when it was asked for
    started: Time | None  # when it had its device
    ended: Time | None  # when it was over
    status: Literal["finished", "failed"] | None  # how it ended; null before
    failure: str | None  # the class of failure, where it failed
    value: Metric | None  # what it measured
    exit_code: int | None  # of its last command
    seconds: Seconds | None  # from its start to its record, without the wait for a device
    train_wall_s: Seconds | None  # how long it trained
    setup_s: Seconds | None  # how long exporting and preparing took before
    waited_s: Seconds | None  # how long it waited for a device
    device: str | None  # on which it ran
    versions: str | None  # Python and system, as JSON
    detail: str | None  # its failure or hints, as JSON
    flags: str | None  # what is odd about its numbers, as JSON
    broken: str | None  # the constraints it broke, as JSON
    log: str | None  # the file it printed into
    cost_usd: Dollars | None  # what the rented machine cost
    remote_id: str | None  # the sandbox it ran in
    machine: str | None  # host, boot, device, driver, versions, how confined, as JSON
    hopeless: str | None  # where it was worse than its incumbent's curve first, as JSON
    environment: str | None  # the name of the environment it ran in
    metrics: dict[str, float]  # what it reported, evaluate's numbers before train's
    counts: bool  # whether the experiment's mean is over it too


class Environment(TypedDict):
    """The packages that runs had; every version is in the table `environments` of `lab export`."""

    environment: str  # its name: a hash over all versions
    python: str  # of the leaf's interpreter
    torch: str | None  # where it is installed
    numpy: str | None  # where it is installed
    cuda: str | None  # for which that torch was built
    driver: str | None  # of the GPU, where the run was on one
    packages: int  # how many are installed


class JudgementRecord(TypedDict):
    """One judgement as the notebook has it: what was suggested, and by which numbers."""

    id: int  # its number in the notebook
    uid: str  # unique in every notebook
    experiment: int  # the number of its experiment
    runs: int  # how many values were judged
    incumbent: int | None  # the number of the experiment it was judged against
    incumbent_value: Metric | None  # the mean of that one, then
    gain: Metric | None  # the mean above the incumbent's level; positive is better
    se: Metric | None  # the standard error of the gain
    noise: Metric | None  # the standard deviation of one run, as known then
    p_better: Chance | None  # how likely the true gain was above the least worth having
    suggest: str  # keep, replicate, discard or crash
    reason: str  # better, simpler, bagged, same, undecided, worse, constraint or failed
    near_miss: Flag  # whether it is worth combining with another change
    why: str | None  # the judgement in a sentence
    mechanism: Mechanism | None  # what the metrics said of the mechanism
    at: Time  # when it was judged
    level: Metric | None  # what it was compared with


class ResultRecord(TypedDict):
    """One verdict as the notebook has it; the newest counts."""

    id: int  # its number in the notebook
    uid: str  # unique in every notebook
    experiment: int  # the number of its experiment
    verdict: Verdict  # what was said
    mechanism: Outcome | None  # what was claimed of the mechanism
    theory_revision: str | None  # what is believed instead
    because: str | None  # why it was kept against the suggestion
    metrics: dict[str, float] | None  # what was claimed of it, where it ran elsewhere
    value: Metric | None  # the claimed value of the metric that decides
    gain: Metric | None  # against its incumbent, then
    suggested: str | None  # by the numbers: keep, replicate, discard or crash
    job: int | None  # the job whose supervisor noted a crash; null for a verdict that was given
    by: str  # the campaign, or the person
    at: Time  # when it was given


class ReportedRecord(TypedDict):
    """What an imported log reports of an experiment that it does not judge; the newest counts."""

    id: int  # its number in the notebook
    uid: str  # unique in every notebook
    experiment: int  # the number of its experiment
    metrics: dict[str, float] | None  # every number of its row
    value: Metric | None  # the one that decides
    at: Time  # when, as the log says, or when it came in


class NoteRecord(TypedDict):
    """What somebody said of an experiment."""

    text: str  # the words
    by: str  # the campaign, or the person
    at: Time  # when


class Experiment(Entry):
    """Everything about one experiment."""

    mechanism: str | None  # why the hypothesis should work
    mechanism_outcome: Outcome | None  # whether that was seen
    mechanism_source: Source | None  # by metrics, or said with the verdict
    kind: Literal["run", "baseline", "elsewhere", "import"]  # how it came here
    profile: str | None  # its profile
    platform: str | None  # the device's name
    yardstick: str | None  # a hash over what makes numbers comparable
    metric: str | None  # the name of the metric that decides
    direction: Literal["minimize", "maximize"] | None  # which way is better
    incumbent: ExperimentId | None  # what it is judged against
    campaign: str | None  # whose it is
    axis: str | None  # which direction of the search it is
    wave: list[ExperimentId]  # the changes that were run at once, it among them; [] alone
    attempt: int  # how often its campaign had tried this hypothesis, this time included
    lines_changed: int | None  # statements added less those removed, docstrings aside
    lesson: str | None  # what was learned from it
    measured: dict[str, float]  # the mean of each metric over its runs
    runs: list[RunRecord]  # its runs, oldest first
    environments: list[Environment]  # that its runs had, in the order they came up
    judgements: list[JudgementRecord]  # how it was judged, oldest first
    results: list[ResultRecord]  # its verdicts, oldest first
    reported: list[ReportedRecord]  # what an imported log says of it without a verdict
    equal_seeds: list[AtSeed]  # the seeds that it and its incumbent have both run
    marks: list[str]  # what to bear in mind of its numbers: load, pace, aborted runs
    outside_noise: bool  # its replicates spread unlike the others', so the noise is without them
    tags: list[str]  # in the order they were given; `star` is one
    notes: list[NoteRecord]  # what was said of it, oldest first


class Attempt(TypedDict):
    """An edit that failed in its dry run: no experiment was made of it."""

    hypothesis: HypothesisId  # for which it was tried
    claim: str  # what should help
    failure: str  # the class of failure
    place: str | None  # file and line, where there is one
    last: str  # the error's last line
    profile: str  # the profile of the dry run
    seconds: Seconds | None  # how long it took
    at: Time  # when


class Hypothesis(TypedDict):
    """Everything about one hypothesis."""

    hypothesis: HypothesisId  # this one
    leaf: str  # its leaf
    claim: str  # what should help
    mechanism: str  # why it should
    observe: str | None  # the condition by which the mechanism can be seen
    expect: Metric | None  # the gain that was expected of it
    withdrawn: str | None  # why it was withdrawn, "" without a word; null where it was not
    min_effect: Metric | None  # the smallest gain worth having
    axis: str | None  # which direction of the search it is
    campaign: str | None  # whose it is
    source: str | None  # the log it was imported from
    at: Time  # when it was written down
    experiments: list[Entry]  # those made for it, oldest first
    attempts: list[Attempt]  # edits that failed in their dry run, oldest first


# -- lab apply --edit ----------------------------------------------------------


class Edited(TypedDict):
    """Changes that were put into the files together."""

    experiment: NotRequired[ExperimentId]  # the one that was asked for, where it is one
    experiments: list[ExperimentId]  # whose changes they are
    edited: list[str]  # the files, from the top of the checkout
    commits: list[Commit]  # none: nothing is committed
