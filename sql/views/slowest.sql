-- The 50 pairs that took longest.
drop view if exists slowest;
create view slowest as
select r.job_id as job_id,
    r.scene as scene,
    r.gt_path as gt_path,
    r.target_path as target_path,
    r.total_us / 1000.0 as total_ms,
    r.method as method,
    r.backend as backend,
    (select stage from timing where job_id = r.job_id order by wall_us desc limit 1)
        as slowest_stage
from (select * from result where held = 0 order by total_us / 1000.0 desc limit 50) r
order by r.total_us desc;
