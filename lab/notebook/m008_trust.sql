alter table experiments add column code text;
create trigger experiments_code_kept before update of code on experiments
when old.code is not new.code
begin select raise(abort, 'recorded facts are never overwritten'); end;
create index experiments_code on experiments (leaf, code) where code is not null;
create table tips (
    id integer primary key, uid text not null unique, campaign text not null,
    "commit" text not null, by text not null, at text not null
) strict;
create index tips_campaign on tips (campaign, id);
create trigger tips_kept before update on tips
begin select raise(abort, 'recorded facts are never overwritten'); end;
create trigger tips_stays before delete on tips
begin select raise(abort, 'recorded facts are never deleted'); end;
