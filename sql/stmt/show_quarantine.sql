-- For people who ask through the tool; :scene NULL: all, :limit NULL: no limit. By job; the + keeps SQLite from
-- walking all jobs in that order when hardly any of them is in the list.
select * from quarantine
where :scene is null or scene = :scene
order by +job_id
limit coalesce(:limit, -1)
