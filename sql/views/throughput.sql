-- Finished pairs a minute. A window longer than the work lasts so far counts from its start; 'all'
-- is over the time in which there was work.
drop view if exists throughput;
create view throughput as
with now (us) as (select cast((julianday('now') - 2440587.5) * 86400e6 as integer)),
    windows (window, seconds) as (values ('1 min', 60), ('15 min', 900), ('60 min', 3600)),
    sums (window, seconds, pairs) as (
        select w.window, w.seconds, (
            select coalesce(sum(r.done), 0) from rate r, now
            where r.slot > (now.us - w.seconds * 1000000) / 5000000)
        from windows w)
select s.window as window,
    s.pairs as pairs,
    round(s.pairs * 60.0 / max(5, min(s.seconds, (now.us - t.first_us) / 1e6)), 2)
        as pairs_per_minute
from sums s, now, rate_total t
union all
select 'all', t.done, round(t.done * 60e6 / nullif(t.busy_us, 0), 2)
from rate_total t;
