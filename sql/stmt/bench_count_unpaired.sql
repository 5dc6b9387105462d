-- For pairmill bench queue: how many files wait for their other half.
select count(*) from unpaired
