-- For pairmill verify: the folders of every source there ever was.
select input, output from source
