-- Where a worker is.
insert into worker (id, job_id, stage, since_us, done, failed, hangs)
values (:worker, :job, :stage, :since, :done, :failed, :hangs)
on conflict (id) do update
set job_id = excluded.job_id, stage = excluded.stage, since_us = excluded.since_us,
    done = excluded.done, failed = excluded.failed, hangs = excluded.hangs
