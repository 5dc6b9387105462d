-- For pairmill report: the results with the least confidence, to be looked at.
select r.job_id as job_id,
    round(r.confidence, 3) as confidence,
    round(r.loss, 6) as loss,
    r.dy as dy,
    r.dx as dx,
    r.flags as flags,
    r.gt_path as gt_path,
    r.target_path as target_path
from results r
where r.confidence < 0.5 or r.flags <> ''
order by r.confidence, r.loss desc
limit 20
