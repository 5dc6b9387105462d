-- For pairmill bench queue: one result by its number.
select * from results where job_id = 77
