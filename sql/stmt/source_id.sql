-- Only sources of the present configuration take anything in.
select id from source where name = :name and active
