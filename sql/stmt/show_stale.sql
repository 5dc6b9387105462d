-- For people who ask through the tool; :scene NULL: all, :limit NULL: no limit. By job.
select * from stale
where :scene is null or scene = :scene
order by job_id
limit coalesce(:limit, -1)
