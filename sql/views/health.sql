-- One row about the database and the daemon; what the daemon alone knows is up to a second old.
drop view if exists health;
create view health as
with fact (name, value) as (select name, value from control)
select (select value from fact where name = 'wal_bytes') as wal_bytes,
    (select value from fact where name = 'free_bytes') as free_bytes,
    (select value from fact where name = 'overflows') as overflows,
    (select value from fact where name = 'program_version') as program_version,
    (select value from fact where name = 'sqlite_version') as sqlite_version,
    (select value from fact where name = 'schema_version') as schema_version,
    (select value from fact where name = 'owner_pid') as owner_pid,
    (select strftime('%Y-%m-%dT%H:%M:%SZ', value / 1000000, 'unixepoch')
        from fact where name = 'started_us') as started_at,
    (select strftime('%Y-%m-%dT%H:%M:%SZ', nullif(value, 0) / 1000000, 'unixepoch')
        from fact where name = 'checkpoint_us') as last_checkpoint_at,
    (select value / 1000.0 from fact where name = 'loop_lag_max_us') as loop_lag_max_ms,
    (select value from fact where name = 'db_bytes') as db_bytes,
    (select value from fact where name = 'commits') as commits,
    (select value from fact where name = 'busy_waits') as busy_waits,
    coalesce((select value from fact where name = 'paused'), 0) as paused,
    -- Claims are held because an output has less than min_free left.
    coalesce((select value from fact where name = 'space_low'), 0) as space_low,
    -- {"source": bytes free where its outputs go, ...}
    (select json_group_object(s.name, f.value) from source s
        join fact f on f.name = 'output_free/' || s.name where s.active) as output_free_bytes,
    case when (select value from fact where name = 'wal_bytes') > 67108864 -- 64 MiB
        then 'the log file is large: somebody keeps a read transaction open, close it' end
        as warning;
