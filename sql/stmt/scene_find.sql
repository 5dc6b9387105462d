-- The scene of a folder.
select id from scene where source_id = :source and path = :path
