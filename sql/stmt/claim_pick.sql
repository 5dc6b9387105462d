-- The next ready job: by the priority of its source, then the source whose turn is longest ago,
-- then the priority of the job, then age.
select j.id, j.source_id, j.gt_id, j.priority
from source s
join job j on j.id = (
    select id from job
    where source_id = s.id and state = 'queued' and not_before_us = 0
    order by priority desc, id limit 1)
where s.active and not s.paused
    and not coalesce((select value from control where name = 'paused'), 0)
order by s.priority desc, s.turn, s.id
limit 1
