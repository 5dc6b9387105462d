-- Queued again with fresh attempts, for the inputs as they are now.
update job
set state = 'queued', attempts = 0, not_before_us = 0, worker = null, queued_us = :now,
    started_us = null, finished_us = null, code = null, stage = null, message = null,
    gt_revision = g.revision, target_revision = t.revision
from image g, image t
where job.id = :job and g.id = job.gt_id and t.id = job.target_id
