-- IMMEDIATE: a transaction that starts by reading could not be upgraded once somebody else has
-- written.
begin immediate
