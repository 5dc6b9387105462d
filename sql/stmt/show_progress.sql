-- For people who ask through the tool; takes no parameters.
select * from progress
