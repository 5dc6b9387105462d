-- For pairmill report: what each method did, rounded for reading.
select method, backend, n, mean_ms, p95_ms, round(mean_loss, 6) as mean_loss, fallbacks
from method_stats
order by n desc, method, backend
