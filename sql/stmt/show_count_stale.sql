-- How many results were made with other settings: for the summary of a run, and pairmill bench queue.
select count(*) as pairs from stale
