-- Missing jobs both of whose inputs are there, without doubt. fresh: the file had been gone, so
-- that what was tried before no longer counts.
update job
set state = 'queued', attempts = iif(:fresh, 0, attempts), not_before_us = 0, worker = null,
    queued_us = :now, code = null, stage = null, message = null
from image g, image t
where (job.gt_id = :image or job.target_id = :image) and job.state = 'missing'
    and g.id = job.gt_id and t.id = job.target_id
    and g.state = 'present' and t.state = 'present' and not g.doubted and not t.doubted
