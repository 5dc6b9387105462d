-- Only the last attempt's timings are kept one by one.
delete from timing where job_id = :job
