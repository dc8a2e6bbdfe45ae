-- What this commit invalidates; rows of old commits are deleted.
with gone as (
    delete from invalidation
    where partition = $1
      and commits <= $2 - $5
)
insert into invalidation (partition, commits, epoch, content)
values ($1, $2, $3, $4)
