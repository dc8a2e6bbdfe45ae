-- What this commit touched; what commits long past touched goes.
with gone as (
    delete from touched
    where partition = $1
      and commits <= $2 - $5
)
insert into touched (partition, commits, epoch, touched)
values ($1, $2, $3, $4)
