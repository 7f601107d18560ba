create table audits (
    id integer primary key, uid text not null unique, leaf text not null, campaign text,
    tip integer not null references experiments (id),
    base integer not null references experiments (id),
    seeds text not null check (json_valid(seeds)), by text not null, at text not null,
    ended text, conclusion text check (conclusion in ('confirmed', 'open', 'back', 'cut')),
    gain real, se real, bar real, why text
) strict;
create index audits_campaign on audits (campaign, id);
create index audits_tip on audits (tip);
create index audits_base on audits (base);
create trigger audits_kept before update on audits when
    old.id is not new.id or old.uid is not new.uid or old.leaf is not new.leaf
    or old.campaign is not new.campaign or old.tip is not new.tip or old.base is not new.base
    or old.seeds is not new.seeds or old.by is not new.by
    or old.at is not new.at
    or (old.ended is not null and old.ended is not new.ended)
    or (old.conclusion is not null and old.conclusion is not new.conclusion)
    or (old.gain is not null and old.gain is not new.gain)
    or (old.se is not null and old.se is not new.se)
    or (old.bar is not null and old.bar is not new.bar)
    or (old.why is not null and old.why is not new.why)
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger audits_stays before delete on audits
begin select raise(abort, 'recorded facts are never deleted'); end;
alter table jobs add column audit integer references audits (id);
create trigger jobs_audit_kept before update of audit on jobs when old.audit is not new.audit
begin select raise(abort, 'recorded facts are never overwritten'); end;
alter table judgements add column level real;
create trigger judgements_level_kept before update of level on judgements
when old.level is not new.level
begin select raise(abort, 'recorded facts are never overwritten'); end;
create index experiments_incumbent on experiments (incumbent) where incumbent is not null;
create index combinations_parent on combinations (parent);
