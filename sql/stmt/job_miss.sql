-- An input is gone. done stays done: its outputs are there. A running job finds out by itself.
update job
set state = 'missing', not_before_us = 0, worker = null, finished_us = :now, code = 'ENOENT',
    stage = null, message = 'an input file is gone'
where (gt_id = :image or target_id = :image) and state in ('queued', 'failed', 'quarantined')
