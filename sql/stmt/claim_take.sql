-- The attempt counts from now on: a pair that kills the process cannot be tried for ever. It is
-- about the inputs as they are now.
update job
set state = 'running', attempts = attempts + 1, worker = :worker, started_us = :now,
    finished_us = null,
    gt_revision = coalesce((select revision from image where id = job.gt_id), gt_revision),
    target_revision =
        coalesce((select revision from image where id = job.target_id), target_revision)
where id = :job
