-- Pairs given up because every attempt ended in something that should have passed, or in a crash.
drop view if exists quarantine;
create view quarantine as
select j.id as job_id,
    s.name as scene,
    (select name from image where id = j.gt_id) as gt_path,
    (select name from image where id = j.target_id) as target_path,
    j.attempts as attempts,
    j.stage as stage,
    j.code as code,
    j.message as message,
    strftime('%Y-%m-%dT%H:%M:%SZ', j.finished_us / 1000000, 'unixepoch') as at
from job j
left join scene s on s.id = j.scene_id
where j.state = 'quarantined';
