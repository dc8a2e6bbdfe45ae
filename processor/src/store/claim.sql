-- Takes the partition. Waits for a commit under way (it holds the row), then sees its end. The
-- first claim makes the row.
insert into progress (
    topic, partition, epoch, nonce, clock, fired_to, owner, evaluation, backend_pid
)
values ($1, $2, 1, gen_random_uuid(), $3, $3, $4, $5, pg_backend_pid())
on conflict (topic, partition) do update
set epoch       = progress.epoch + 1,
    nonce       = excluded.nonce,
    owner       = excluded.owner,
    backend_pid = excluded.backend_pid,
    updated_at  = now()
returning epoch, nonce, commits, next_offset, clock, fired_to, change_seq, definitions, evaluation,
          cluster, last_offset, last_appended_at, last_hash
