-- The percentile of method_stats comes from here.
insert into method_bucket values (:method, :backend, :bucket, 1)
on conflict do update set n = n + 1
