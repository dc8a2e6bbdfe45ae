-- Claims the partition: the previous owner can no longer write.
insert into progress (partition, epoch, next_offset)
values (?, 1, 0)
on conflict (partition) do update set epoch = progress.epoch + 1
returning epoch, next_offset
