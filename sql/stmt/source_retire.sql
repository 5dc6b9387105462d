-- Those still in the configuration come back with source_put.
update source set active = 0 where active = 1
