-- For pairmill bench queue: how many pairs failed for one reason.
select count(*) from failures where code = 'EFORMAT'
