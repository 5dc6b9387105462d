-- An output folder lies elsewhere now, with all that is in it; whosever it is (:output, the bytes of
-- its old path; :old and :new as text).
update result set output_dir = :new || substr(output_dir, length(:old) + 1)
where job_id in (
        select j.id from source s join job j on j.source_id = s.id where s.output = :output)
    and substr(output_dir, 1, length(:old) + 1) = :old || '/'
