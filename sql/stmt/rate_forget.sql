-- throughput looks back an hour; slots of the future are left by a clock that was set back.
delete from rate where slot < :slot - 721 or slot > :slot
