-- The same files under a new name; its jobs and results stay with it.
update source set name = :name where id = :source
