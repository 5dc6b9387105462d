-- The percentiles of stage_timings come from here.
insert into stage_bucket values (:stage, :bucket, 1)
on conflict do update set n = n + 1
