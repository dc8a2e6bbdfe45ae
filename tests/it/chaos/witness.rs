//! A trigger on `progress` writes down every claim and every commit, in their own transactions: who
//! wrote, under which epoch, from which offset to which.

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

/// Queries whose every row is a fault. The lock on the row of `progress` is held when an id is
/// drawn, so that within a partition ids are in the order of the writes.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "somebody wrote what another had claimed",
        "select format('partition %s, epoch %s of %s: %s', partition, epoch, owner, writer)
         from tidemark.witness where owner <> writer",
    ),
    (
        "an epoch came back after the next had begun",
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
        "a write did not begin where the one before it ended",
        "select format('partition %s: from %s after %s', partition, old_offset, before)
         from (select *, lag(next_offset) over (partition by partition order by id) as before
               from tidemark.witness) w
         where old_offset <> before",
    ),
    (
        "a commit is missing from the count, or counted twice",
        "select format('partition %s, epoch %s: %s after %s', partition, epoch, commits, before)
         from (select *, lag(commits) over (partition by partition order by id) as before,
                      lag(epoch) over (partition by partition order by id) as last_epoch
               from tidemark.witness) w
         where commits <> before + (epoch = last_epoch)::int",
    ),
];

/// Begins to write down.
pub(super) async fn install(pool: &PgPool) {
    for statement in STATEMENTS {
        pool.execute(statement).await.unwrap();
    }
}

/// What was written down makes one chain of commits for each partition, each by whoever held it.
pub(super) async fn assert_one_chain(projections: &Projections) {
    for (what, query) in CONTRADICTIONS {
        let found: Vec<(String,)> = projections.rows(query).await;
        let found: Vec<String> = found.into_iter().map(|(row,)| row).collect();
        assert!(found.is_empty(), "{what}: {}", found.join(", "));
    }
}
