-- When the queue will be empty, at the rate of the last 15 min in which there was work (else of
-- all).
drop view if exists eta;
create view eta as
with now (us) as (select cast((julianday('now') - 2440587.5) * 86400e6 as integer)),
    recent (pairs, busy_us) as (
        select sum(r.done + r.failed), sum(r.busy_us) from rate r, now
        where r.slot > now.us / 5000000 - 180),
    pace (per_us) as (
        select coalesce(recent.pairs * 1.0 / nullif(recent.busy_us, 0),
            (t.done + t.failed) * 1.0 / nullif(t.busy_us, 0))
        from recent, rate_total t),
    work (remaining) as (
        select coalesce(sum(c.queued + c.running), 0)
        from source_count c join source s on s.id = c.source_id where s.active),
    answer (remaining, per_us, seconds) as (
        select work.remaining, pace.per_us,
            iif(work.remaining = 0, 0.0, work.remaining / nullif(pace.per_us, 0) / 1e6)
        from work, pace)
select cast(round(seconds) as integer) as seconds_left,
    strftime('%Y-%m-%dT%H:%M:%SZ', now.us / 1e6 + seconds, 'unixepoch') as finish_at,
    remaining,
    round(per_us * 60e6, 2) as pairs_per_minute
from answer, now;
