-- For pairmill bench queue: the other ranking people ask for.
select * from results order by loss desc limit 50
