-- Sums for the stage_timings view.
insert into stage_total values (:stage, :position, 1, :wall_us, :bytes, :wall_us)
on conflict do update
set n = n + 1, wall_us = wall_us + excluded.wall_us, bytes = bytes + excluded.bytes,
    max_us = max(max_us, excluded.max_us)
