-- For pairmill bench queue: how many results there are.
select count(*) from results
