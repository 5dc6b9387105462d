-- For pairmill bench queue: the results of one scene, as people ask for them.
select * from results where scene = 'scene000007'
