-- For pairmill bench queue: what became of one file.
select * from results where target_path = 'scene000007/noisy_07.tif'
