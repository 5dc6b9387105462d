-- All files of a source thought to be there, to compare with a walk.
select id from image where source_id = :source and state = 'present'
