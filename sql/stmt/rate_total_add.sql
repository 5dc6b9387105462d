-- The same, of all times.
update rate_total
set done = done + :done, failed = failed + :failed, busy_us = busy_us + :busy_us,
    first_us = coalesce(first_us, :now - :busy_us)
