//! A trigger on `progress` that records every claim and every commit in its transaction: the
//! writer, the epoch, and the offsets.

use sqlx::{Executor as _, PgPool};

use crate::support::compare::Projections;

const STATEMENTS: [&str; 3] = [
    "create table tidemark.witness (
         id bigserial, partition int, epoch bigint, commits bigint, old_offset bigint,
         next_offset bigint, owner text, writer text)",
    "create function tidemark.note() returns trigger language plpgsql security definer as $$
     begin
         insert into tidemark.witness
             (partition, epoch, commits, old_offset, next_offset, owner, writer)
         values (new.partition, new.epoch, new.commits,
                 case tg_op when 'UPDATE' then old.next_offset else 0 end, new.next_offset,
                 new.owner, current_setting('application_name'));
         return null;
     end $$",
    "create trigger witness after insert or update on gen_1.progress
     for each row execute function tidemark.note()",
];

/// Queries that return a row for each contradiction. An id is drawn under the lock on the row of
/// `progress`, so that within a partition ids are in the order of the writes.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "a process wrote under another one's claim",
        "select format('partition %s, epoch %s of %s: %s', partition, epoch, owner, writer)
         from tidemark.witness where owner <> writer",
    ),
    (
        "an epoch wrote after the next one had begun",
        "select format('partition %s: %s after %s', partition, epoch, before)
         from (select *, lag(epoch) over (partition by partition order by id) as before
               from tidemark.witness) w
         where epoch < before",
    ),
    (
        "an epoch was claimed twice",
        "select format('partition %s, epoch %s', partition, epoch)
         from (select *, lag(epoch) over (partition by partition order by id) as last_epoch,
                      lag(commits) over (partition by partition order by id) as last_commits
               from tidemark.witness) w
         where epoch = last_epoch and commits = last_commits",
    ),
    (
        "a write does not begin at the end of the one before",
        "select format('partition %s: from %s after %s', partition, old_offset, before)
         from (select *, lag(next_offset) over (partition by partition order by id) as before
               from tidemark.witness) w
         where old_offset <> before",
    ),
    (
        "a commit is counted twice or not at all",
        "select format('partition %s, epoch %s: %s after %s', partition, epoch, commits, before)
         from (select *, lag(commits) over (partition by partition order by id) as before,
                      lag(epoch) over (partition by partition order by id) as last_epoch
               from tidemark.witness) w
         where commits <> before + (epoch = last_epoch)::int",
    ),
];

/// Creates the table and the trigger.
pub(super) async fn install(pool: &PgPool) {
    for statement in STATEMENTS {
        pool.execute(statement).await.unwrap();
    }
}

/// Asserts that the writes of each partition form one chain of commits, each by the owner of its
/// epoch.
pub(super) async fn assert_one_chain(projections: &Projections) {
    for (what, query) in CONTRADICTIONS {
        let found: Vec<(String,)> = projections.rows(query).await;
        let found: Vec<String> = found.into_iter().map(|(row,)| row).collect();
        assert!(found.is_empty(), "{what}: {}", found.join(", "));
    }
}
