-- For pairmill bench queue: how many results were made with other settings.
select count(*) from stale
