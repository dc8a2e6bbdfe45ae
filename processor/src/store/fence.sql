-- The fence, first statement of every commit. One row: this process owns the partition, which stands
-- where the batch begins; the row stays locked until COMMIT, so that a claim waits and then sees the
-- end of the batch. No row: another process claimed, the database was rewound, or the batch landed.
update progress
set commits     = commits + 1,
    next_offset = $6,
    clock       = greatest(clock, $7),  -- never goes back
    fired_to    = greatest(fired_to, $17),
    change_seq  = $8,
    definitions = $9,
    evaluation  = $10,
    cluster          = coalesce($11, cluster),
    last_offset      = coalesce($12, last_offset),
    last_appended_at = case when $12 is null then last_appended_at else $13 end,
    last_hash        = coalesce($14, last_hash),
    wall_clock       = wall_clock or $15,
    backend_pid = pg_backend_pid(),
    updated_at  = now()
where topic = $1
  and partition = $2
  and epoch = $3
  and nonce = $16                       -- epochs are issued again after a failover that lost a claim
  and commits = $4                      -- position alone is not enough: it may come back to an
  and next_offset = $5                  -- old value after a rewind, and timers do not move it
