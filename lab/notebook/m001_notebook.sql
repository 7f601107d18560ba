-- The notebook of the first release, as m001 makes it. Never edit this file: notebooks on disk were
-- made by it. What comes later is a step of its own in migrations.py.

-- Records: what happened.

create table campaigns (
    id integer primary key, uid text not null unique, name text not null unique,
    leaf text not null, branch text not null, worktree text not null, base text not null,
    agent text, by text not null, at text not null
) strict;
create table hypotheses (
    id integer primary key, uid text not null unique, leaf text not null,
    claim text not null check (claim <> ''), mechanism text not null,
    observe text, min_effect real, axis text, campaign text, source text, at text not null
) strict;
create table experiments (
    id integer primary key, uid text not null unique,
    hypothesis integer references hypotheses (id), leaf text not null,
    kind text not null check (kind in ('run', 'baseline', 'elsewhere', 'import')),
    profile text, platform text, yardstick text, metric text, direction text,
    "commit" text, parent text, contents text, incumbent integer references experiments (id),
    campaign text, worktree text, axis text, program text, lines_changed integer,
    attempt integer not null default 1, deterministic integer not null default 0,
    at text not null
) strict;
create table jobs (
    id integer primary key, uid text not null unique,
    experiment integer not null references experiments (id),
    seeds text not null check (json_valid(seeds)), runner text not null, asked text,
    restore text, at text not null,
    keeper text, ended text, how text
) strict;
create table runs (
    id integer primary key, uid text not null unique,
    experiment integer not null references experiments (id),
    job integer references jobs (id), seed integer not null, at text not null,
    started text, ended text, status text check (status in ('finished', 'failed')),
    failure text, value real, exit_code integer, seconds real, train_wall_s real,
    setup_s real, waited_s real, device text, versions text, detail text, flags text,
    broken text, log text, cost_usd real, remote_id text
) strict;
create table metrics (
    id integer primary key, run integer not null references runs (id), name text not null,
    source text not null check (source in ('train', 'evaluate', 'harness')),
    value real not null, unique (run, name, source)
) strict;
create table judgements (
    id integer primary key, uid text not null unique,
    experiment integer not null references experiments (id), runs integer not null,
    incumbent integer references experiments (id), incumbent_value real,
    gain real, se real, noise real, p_better real, suggest text not null,
    reason text not null, near_miss integer not null default 0, why text,
    mechanism text, at text not null
) strict;
create table results (
    id integer primary key, uid text not null unique,
    experiment integer not null references experiments (id),
    verdict text not null check (verdict in ('keep', 'discard', 'crash')),
    mechanism text check (mechanism in ('confirmed', 'refuted')),
    theory_revision text, because text, metrics text, value real, gain real, suggested text,
    job integer references jobs (id), by text not null, at text not null
) strict;
create table lessons (
    id integer primary key, uid text not null unique, leaf text not null,
    text text not null check (text <> ''), everywhere integer not null default 0,
    by text not null, at text not null
) strict;
create table evidence (
    id integer primary key, lesson integer not null references lessons (id),
    experiment integer not null references experiments (id), unique (lesson, experiment)
) strict;
create table sessions (
    id integer primary key, uid text not null unique,
    campaign integer not null references campaigns (id), at text not null,
    agent text not null, process text, log text,
    ended text, how text, exit_code integer, tokens integer, cost_usd real, detail text
) strict;
create table events (
    id integer primary key, uid text not null unique, at text not null, who text not null,
    verb text not null, subject text not null, detail text
) strict;

-- Derived: what must be answered quickly.

create table state (
    experiment integer primary key references experiments (id), hypothesis integer,
    leaf text not null, scope integer not null, campaign text, status text not null,
    failure text, verdict text, kind text check (kind in ('dead_end', 'unsettled')),
    value real, claimed integer not null, runs integer not null, ss real not null,
    df integer not null, gain real, mechanism text, mechanism_source text, seconds real,
    telling integer not null, ordinal real, axis text, overruled integer not null
) strict;
create table scopes (
    id integer primary key, leaf text not null, profile text not null,
    platform text not null, yardstick text not null, experiments integer not null default 0,
    ss real not null default 0, df integer not null default 0,
    unique (leaf, profile, platform, yardstick)
) strict;
create table tallies (
    leaf text primary key, experiments integer not null default 0,
    keep integer not null default 0, discard integer not null default 0,
    crash integer not null default 0, overruled integer not null default 0
) strict;
create table axes (
    leaf text not null, axis text not null, tried integer not null default 0,
    kept integer not null default 0, primary key (leaf, axis)
) strict;
create table pending (
    hypothesis integer primary key references hypotheses (id), leaf text not null,
    campaign text
) strict;

-- Every question of every day finds its rows by one of these.

create index hypotheses_claim on hypotheses (leaf, campaign, claim);
create index experiments_hypothesis on experiments (hypothesis);
create index experiments_contents on experiments (leaf, contents);
create index experiments_commit on experiments ("commit");
create index experiments_campaign on experiments (campaign);
create index jobs_experiment on jobs (experiment);
create index jobs_open on jobs (experiment) where ended is null;
create index runs_experiment on runs (experiment);
create index runs_open on runs (experiment) where ended is null;
create index runs_remote on runs (id) where remote_id is not null;
create index judgements_experiment on judgements (experiment);
create index results_experiment on results (experiment);
create index lessons_leaf on lessons (leaf);
create index lessons_everywhere on lessons (id) where everywhere;
create index evidence_experiment on evidence (experiment);
create index sessions_campaign on sessions (campaign);
create index sessions_open on sessions (campaign) where ended is null;
create index campaigns_leaf on campaigns (leaf);
create index events_subject on events (subject);
create index state_leaf on state (leaf, experiment);
create index state_campaign on state (campaign, leaf, experiment);
create index state_hypothesis on state (hypothesis);
create index state_kept on state (leaf, gain) where verdict = 'keep';
create index state_keeps on state (leaf, experiment) where verdict = 'keep';
create index state_best on state (scope, ordinal) where verdict = 'keep' and not claimed;
create index state_open on state (leaf, campaign) where verdict is null;
create index state_kind on state (leaf, kind, telling, experiment) where kind is not null;
create index state_telling on state (kind, telling, experiment) where kind is not null;
create index state_near on state (leaf, experiment) where kind = 'unsettled' and gain > 0;
create index pending_leaf on pending (leaf, campaign);

-- A record stays. A column that an experiment, job, run or session gets later is filled once.

create trigger campaigns_kept before update on campaigns when
    old.id is not new.id or old.uid is not new.uid or old.name is not new.name
    or old.leaf is not new.leaf or old.branch is not new.branch
    or old.worktree is not new.worktree or old.base is not new.base or old.agent is not new.agent
    or old.by is not new.by or old.at is not new.at
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger campaigns_stays before delete on campaigns
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger hypotheses_kept before update on hypotheses when
    old.id is not new.id or old.uid is not new.uid or old.leaf is not new.leaf
    or old.claim is not new.claim or old.mechanism is not new.mechanism
    or old.observe is not new.observe or old.min_effect is not new.min_effect
    or old.axis is not new.axis or old.campaign is not new.campaign
    or old.source is not new.source or old.at is not new.at
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger hypotheses_stays before delete on hypotheses
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger experiments_kept before update on experiments when
    old.id is not new.id or old.uid is not new.uid or old.hypothesis is not new.hypothesis
    or old.leaf is not new.leaf or old.kind is not new.kind or old.profile is not new.profile
    or old.platform is not new.platform or old.yardstick is not new.yardstick
    or old.metric is not new.metric or old.direction is not new.direction
    or (old."commit" is not null and old."commit" is not new."commit")
    or old.parent is not new.parent or old.contents is not new.contents
    or old.incumbent is not new.incumbent or old.campaign is not new.campaign
    or old.worktree is not new.worktree or old.axis is not new.axis
    or old.program is not new.program or old.lines_changed is not new.lines_changed
    or old.attempt is not new.attempt or old.deterministic is not new.deterministic
    or old.at is not new.at
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger experiments_stays before delete on experiments
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger jobs_kept before update on jobs when
    old.id is not new.id or old.uid is not new.uid or old.experiment is not new.experiment
    or old.seeds is not new.seeds or old.runner is not new.runner or old.asked is not new.asked
    or old.restore is not new.restore or old.at is not new.at
    or (old.keeper is not null and old.keeper is not new.keeper)
    or (old.ended is not null and old.ended is not new.ended)
    or (old.how is not null and old.how is not new.how)
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger jobs_stays before delete on jobs
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger runs_kept before update on runs when
    old.id is not new.id or old.uid is not new.uid or old.experiment is not new.experiment
    or old.job is not new.job or old.seed is not new.seed or old.at is not new.at
    or (old.started is not null and old.started is not new.started)
    or (old.ended is not null and old.ended is not new.ended)
    or (old.status is not null and old.status is not new.status)
    or (old.failure is not null and old.failure is not new.failure)
    or (old.value is not null and old.value is not new.value)
    or (old.exit_code is not null and old.exit_code is not new.exit_code)
    or (old.seconds is not null and old.seconds is not new.seconds)
    or (old.train_wall_s is not null and old.train_wall_s is not new.train_wall_s)
    or (old.setup_s is not null and old.setup_s is not new.setup_s)
    or (old.waited_s is not null and old.waited_s is not new.waited_s)
    or (old.device is not null and old.device is not new.device)
    or (old.versions is not null and old.versions is not new.versions)
    or (old.detail is not null and old.detail is not new.detail)
    or (old.flags is not null and old.flags is not new.flags)
    or (old.broken is not null and old.broken is not new.broken)
    or (old.log is not null and old.log is not new.log)
    or (old.cost_usd is not null and old.cost_usd is not new.cost_usd)
    or (old.remote_id is not null and old.remote_id is not new.remote_id)
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger runs_stays before delete on runs
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger metrics_kept before update on metrics when
    old.id is not new.id or old.run is not new.run or old.name is not new.name
    or old.source is not new.source or old.value is not new.value
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger metrics_stays before delete on metrics
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger judgements_kept before update on judgements when
    old.id is not new.id or old.uid is not new.uid or old.experiment is not new.experiment
    or old.runs is not new.runs or old.incumbent is not new.incumbent
    or old.incumbent_value is not new.incumbent_value or old.gain is not new.gain
    or old.se is not new.se or old.noise is not new.noise or old.p_better is not new.p_better
    or old.suggest is not new.suggest or old.reason is not new.reason
    or old.near_miss is not new.near_miss or old.why is not new.why
    or old.mechanism is not new.mechanism or old.at is not new.at
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger judgements_stays before delete on judgements
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger results_kept before update on results when
    old.id is not new.id or old.uid is not new.uid or old.experiment is not new.experiment
    or old.verdict is not new.verdict or old.mechanism is not new.mechanism
    or old.theory_revision is not new.theory_revision or old.because is not new.because
    or old.metrics is not new.metrics or old.value is not new.value or old.gain is not new.gain
    or old.suggested is not new.suggested or old.job is not new.job or old.by is not new.by
    or old.at is not new.at
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger results_stays before delete on results
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger lessons_kept before update on lessons when
    old.id is not new.id or old.uid is not new.uid or old.leaf is not new.leaf
    or old.text is not new.text or old.everywhere is not new.everywhere or old.by is not new.by
    or old.at is not new.at
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger lessons_stays before delete on lessons
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger evidence_kept before update on evidence when
    old.id is not new.id or old.lesson is not new.lesson or old.experiment is not new.experiment
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger evidence_stays before delete on evidence
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger sessions_kept before update on sessions when
    old.id is not new.id or old.uid is not new.uid or old.campaign is not new.campaign
    or old.at is not new.at or old.agent is not new.agent
    or (old.process is not null and old.process is not new.process)
    or (old.log is not null and old.log is not new.log)
    or (old.ended is not null and old.ended is not new.ended)
    or (old.how is not null and old.how is not new.how)
    or (old.exit_code is not null and old.exit_code is not new.exit_code)
    or (old.tokens is not null and old.tokens is not new.tokens)
    or (old.cost_usd is not null and old.cost_usd is not new.cost_usd)
    or (old.detail is not null and old.detail is not new.detail)
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger sessions_stays before delete on sessions
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger events_kept before update on events when
    old.id is not new.id or old.uid is not new.uid or old.at is not new.at
    or old.who is not new.who or old.verb is not new.verb or old.subject is not new.subject
    or old.detail is not new.detail
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger events_stays before delete on events
begin select raise(abort, 'recorded facts are never overwritten'); end;

-- The words of ideas, as lab/notebook/search.py reduces them.

create virtual table ideas using fts5 (
    claim, mechanism, lesson, tags, tokenize = 'ascii', detail = none, columnsize = 0
);
