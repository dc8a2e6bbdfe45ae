-- No scope is deferred any more.
delete from clock_mark
where partition = $1
  and not exists (select from deferral where partition = $1)
