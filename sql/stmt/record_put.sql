-- What pair.json must hash to as long as this result stands.
insert into record values (:job, :hash)
