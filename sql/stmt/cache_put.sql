-- Counters of one cache of this process.
insert into cache values (:name, :hits, :misses, :evictions, :bytes, :budget_bytes)
on conflict do update
set hits = excluded.hits, misses = excluded.misses, evictions = excluded.evictions,
    bytes = excluded.bytes, budget_bytes = excluded.budget_bytes
