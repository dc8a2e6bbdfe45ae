//! The clock of a partition at its records, as those find it that read them again.

use proptest::prelude::*;
use tidemark_schemas::{Instant, TenantId};

use super::table::Table;
use crate::engine::catch_up::recall::clocks;
use crate::engine::folder::Folder;
use crate::memory::Budget;

fn second(at: i64) -> Instant {
    Instant::from_micros(at * 1_000_000).expect("in range")
}

proptest! {
    /// A record has the time that its log tells, in seconds; the wall clock caps it, and an idle clock may have
    /// passed it.
    #[test]
    fn records_read_again_have_the_clock_that_the_partition_had(
        records in prop::collection::vec((0..50_i64, 0..50_i64, 0..50_i64), 1..40),
    ) {
        let mut folder = Folder::new(0, Table::new().claim(), Budget::new(1 << 20));
        let tenant = TenantId::new("initech").expect("an id");
        prop_assert!(folder.defer_undefined(&tenant, 0));
        let (mut had, mut times) = (Vec::new(), Vec::new());
        for ((idle, told, cap), offset) in records.into_iter().zip(0..) {
            folder.move_clock(second(idle));
            folder.move_clock(second(told.min(cap)));
            folder.mark_clock(offset, Some(second(told)));
            had.push(folder.clock());
            times.push((offset, second(told)));
        }
        let kept = folder.pending_mut().rows.clock_marks.0.clone();
        prop_assert_eq!(clocks(Instant::MIN, &times, &kept), had);
    }
}
