-- Its inputs changed while it ran: what came out is worth nothing, and the attempt neither.
update job
set state = iif(g.state = 'present' and t.state = 'present', 'queued', 'missing'),
    attempts = 0, not_before_us = 0, worker = null, queued_us = :now, finished_us = null,
    code = null, stage = null, message = null,
    gt_revision = g.revision, target_revision = t.revision
from image g, image t
where job.id = :job and g.id = job.gt_id and t.id = job.target_id
