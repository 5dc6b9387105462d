-- The row stays: the file may come back, and done jobs speak of it.
update image set state = 'gone', doubted = 0, since_us = :now where id = :image
