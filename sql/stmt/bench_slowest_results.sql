-- For pairmill bench queue: a ranking people ask for.
select * from results order by total_ms desc limit 50
