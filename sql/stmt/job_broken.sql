-- A claimed job whose image, scene or source row somebody has deleted: it cannot be done.
update job
set state = 'failed', worker = null, finished_us = :now, code = 'EDB', stage = null,
    message = 'a row of the database it needs is not there any more'
where id = :job
