-- Where a worker is.
insert into worker values (:worker, :job, :stage, :since, :done, :failed)
on conflict (id) do update
set job_id = excluded.job_id, stage = excluded.stage, since_us = excluded.since_us,
    done = excluded.done, failed = excluded.failed
