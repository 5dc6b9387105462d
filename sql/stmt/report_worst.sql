-- For pairmill report: the results with the largest loss.
select r.job_id as job_id,
    round(r.loss, 6) as loss,
    round(r.confidence, 3) as confidence,
    r.dy as dy,
    r.dx as dx,
    round(r.gain, 4) as gain,
    r.gt_path as gt_path,
    r.target_path as target_path
from results r
order by r.loss desc
limit 10
