-- What `pairmill verify` holds the outputs against. Never edited once released.

-- The hash of a result's pair.json, which in turn lists the hash of every other file of the pair:
-- one short row says what hundreds of files must be. Results made before have none. A table of its
-- own, so that an old database gets it without a row of result being written again.
create table record (
    job_id integer primary key references result on delete cascade,
    hash text not null                  -- XXH3-64, 16 hex digits
) strict;

pragma user_version = 4;
