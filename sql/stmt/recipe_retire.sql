-- One recipe is the current one; see recipe_put.
update recipe set current = 0 where current = 1 and hash <> :hash
