-- The attempt is over; state and the rest come from the fate of its code.
update job
set state = :state, attempts = attempts - :back, not_before_us = :not_before, worker = :worker,
    finished_us = :now, code = :code, stage = :stage, message = :message
where id = :job
