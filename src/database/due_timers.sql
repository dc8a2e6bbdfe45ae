select count(*) from timer join progress using (partition) where timer.due_at <= progress.clock
