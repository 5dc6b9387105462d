-- Running pairs finish, ingest goes on, nothing new is claimed.
update source set paused = :paused where name = :name
