-- A host that runs what is live, and on which something may be left over that a release has laid or started beside it.

alter table hosts_behind add column untidy boolean not null default false;
