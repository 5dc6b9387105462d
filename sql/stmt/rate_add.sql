-- Finished pairs by time, for throughput and eta.
insert into rate values (:slot, :done, :failed, :busy_us)
on conflict do update
set done = done + excluded.done, failed = failed + excluded.failed,
    busy_us = busy_us + excluded.busy_us
