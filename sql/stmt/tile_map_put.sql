-- The tiles of a result just put.
insert into tile_map values (:job, :map)
