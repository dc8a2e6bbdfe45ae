-- Whether the clock of any partition has followed the wall clock.
select exists (select from progress where wall_clock) as followed
