-- This source has had its turn.
update source set turn = (select max(turn) + 1 from source) where id = :source
