-- One window of the overlap.
insert into crop values (:job, :x, :y, :width, :height, :valid, :written)
