insert into activation (partition, next_offset, version, clock)
values ($1, $2, $3, $4)
on conflict (partition, version) do nothing -- in force once and for all
