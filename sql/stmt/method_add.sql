-- Sums for the method_stats view.
insert into method_total
values (:method, :backend, 1, :search_us, :search_us, coalesce(:loss, 0), :loss is not null,
    :fallback)
on conflict do update
set n = n + 1, search_us = search_us + excluded.search_us,
    max_us = max(max_us, excluded.max_us), loss = loss + excluded.loss,
    losses = losses + excluded.losses, fallbacks = fallbacks + excluded.fallbacks
