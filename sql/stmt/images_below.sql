-- The files of a folder that went as a whole; the bounds are its path with '/' and with the byte
-- after.
select id from image
where source_id = :source and path >= :low and path < :high and state = 'present'
