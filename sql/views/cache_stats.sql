-- Caches of the running daemon, or of the last one.
drop view if exists cache_stats;
create view cache_stats as
select name as cache,
    hits,
    misses,
    round(100.0 * hits / nullif(hits + misses, 0), 1) as hit_percent,
    evictions,
    bytes,
    budget_bytes
from cache;
