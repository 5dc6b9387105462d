-- Ready jobs that share the picked one's gt, so that its pixels are decoded once.
select id from job
where gt_id = :gt and priority = :priority and state = 'queued' and not_before_us = 0
order by id limit :max
