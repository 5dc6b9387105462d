-- Nothing settles while no daemon runs.
update gauge set settling = 0, watching = 0
