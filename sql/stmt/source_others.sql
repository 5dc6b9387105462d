-- Sources nobody has asked for (yet): each may be one that comes back under another name.
select id, name, input, output from source where not active
