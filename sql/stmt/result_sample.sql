-- The first and the last results of a source, to see where their folders lie.
select output_dir from result
where held = 0 and job_id in (
        select id from job where source_id = :source and state = 'done' order by id limit 4)
    or held = 0 and job_id in (
        select id from job where source_id = :source and state = 'done' order by id desc limit 4)
