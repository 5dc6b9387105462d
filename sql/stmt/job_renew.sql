-- Jobs whose state speaks of other revisions than are there now: queued anew with fresh attempts. A
-- running one is left: its result will be thrown away.
update job
set state = 'queued', attempts = 0, not_before_us = 0, worker = null, queued_us = :now,
    started_us = null, finished_us = null, code = null, stage = null, message = null,
    gt_revision = g.revision, target_revision = t.revision
from image g, image t
where (job.gt_id = :image or job.target_id = :image) and job.state <> 'running'
    and g.id = job.gt_id and t.id = job.target_id
    and g.state = 'present' and t.state = 'present'
    and (job.gt_revision <> g.revision or job.target_revision <> t.revision)
