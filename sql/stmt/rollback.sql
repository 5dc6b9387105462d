-- After any error inside a transaction.
rollback
