-- The recipe a result names.
select id from recipe where hash = :hash
