-- One step of an attempt.
insert into timing values (:job, :stage, :wall_us, :cpu_us, :bytes)
