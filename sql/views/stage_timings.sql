-- How long each step takes. The percentiles come from buckets 1/16 octave wide: within 3 %.
drop view if exists stage_timings;
create view stage_timings as
with ranked (stage, bucket, upto, total) as (
        select stage, bucket, sum(n) over (partition by stage order by bucket),
            sum(n) over (partition by stage)
        from stage_bucket),
    reached (stage, p50, p95) as (
        select stage, min(iif(upto >= total * 0.50, bucket, null)),
            min(iif(upto >= total * 0.95, bucket, null))
        from ranked group by stage)
select t.stage as stage,
    t.n as n,
    round(t.wall_us / 1000.0 / t.n, 3) as mean_ms,
    round(min(t.max_us, iif(r.p50 < 32, r.p50, ((16 + r.p50 % 16) * 2 + 1)
        * (1 << (r.p50 / 16 - 1)) / 2.0)) / 1000.0, 3) as p50_ms,
    round(min(t.max_us, iif(r.p95 < 32, r.p95, ((16 + r.p95 % 16) * 2 + 1)
        * (1 << (r.p95 / 16 - 1)) / 2.0)) / 1000.0, 3) as p95_ms,
    round(t.max_us / 1000.0, 3) as max_ms,
    round(t.bytes * 1.0 / nullif(t.wall_us, 0), 1) as mb_per_s
from stage_total t join reached r on r.stage = t.stage
order by t.position;
