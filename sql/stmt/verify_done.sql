-- For pairmill verify: every done job, and where and what its outputs must be. A job without a
-- result (somebody wrote its state by hand) has no output_dir; one that inactive sources share with
-- an active one's is the later one's.
select j.id, s.active, r.output_dir, r.finished_us, d.hash, r.gt_hash, r.target_hash
from job j
join source s on s.id = j.source_id
left join result r on r.job_id = j.id and r.held = 0
left join record d on d.job_id = j.id
where j.state = 'done'
