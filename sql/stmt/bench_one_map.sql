-- For pairmill bench queue: the tile map of one result.
select * from tiles where job_id = 77
