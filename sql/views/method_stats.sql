-- How long the search takes by method, and how well it does. fallbacks: runs of this method in
-- place of the one asked for.
drop view if exists method_stats;
create view method_stats as
with ranked (method, backend, bucket, upto, total) as (
        select method, backend, bucket, sum(n) over (partition by method, backend order by bucket),
            sum(n) over (partition by method, backend)
        from method_bucket),
    reached (method, backend, p95) as (
        select method, backend, min(bucket)
        from ranked where upto >= total * 0.95 group by method, backend)
select t.method as method,
    t.backend as backend,
    t.n as n,
    round(t.search_us / 1000.0 / t.n, 3) as mean_ms,
    round(min(t.max_us, iif(r.p95 < 32, r.p95, ((16 + r.p95 % 16) * 2 + 1)
        * (1 << (r.p95 / 16 - 1)) / 2.0)) / 1000.0, 3) as p95_ms,
    t.loss / nullif(t.losses, 0) as mean_loss,
    t.fallbacks as fallbacks
from method_total t join reached r on r.method = t.method and r.backend = t.backend;
