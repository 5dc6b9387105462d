-- One remembered fact.
select value from control where name = :name
