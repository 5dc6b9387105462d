-- A worker found an input gone or changed that we think is there: the next sighting decides.
update image set doubted = 1
where id in (:gt, :target) and state = 'present'
