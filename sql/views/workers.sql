-- The worker threads of the running daemon, up to a second old; empty after a clean stop. One that
-- hangs has made no progress in its step for so long that systemd is to restart the daemon.
drop view if exists workers;
create view workers as
select w.id as worker,
    case when w.hangs then 'hangs' when w.job_id is null then 'idle' else 'busy' end as state,
    w.job_id as job_id,
    s.name as scene,
    t.name as target_path,
    w.stage as stage,
    max(0, unixepoch('now') - w.since_us / 1000000) as seconds,
    w.done as done,
    w.failed as failed,
    iif(w.id = 0, (select nullif(value, '') from control where name = 'gpu'), null) as gpu
from worker w
left join job j on j.id = w.job_id
left join scene s on s.id = j.scene_id
left join image t on t.id = j.target_id;
