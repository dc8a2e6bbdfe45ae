//! Rollups of paths: a changed path corrects them by the difference of its counts before and
//! after.

use std::sync::Arc;

use super::Path;
use crate::buckets::bucket_of;
use crate::rollups::{JourneyRollup, Rollup, RollupKind, Rollups};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Stays are counted over all days together: by day and bucket there would be too many rollups.
const ALL_DAYS: i32 = 0;

/// Adds what a path counts, so many times.
pub(crate) fn count(journey: &Arc<str>, path: &Path, times: i128, rollups: &mut Rollups) {
    let nothing: Arc<str> = Arc::default();
    let mut add = |kind, day, item: &Arc<str>, detail: &Arc<str>| {
        rollups.add(
            Rollup::new(kind, day).named(journey).by(item, detail),
            times,
        );
    };
    if let Some(first) = path.steps.first().filter(|_| path.early.is_empty()) {
        add(
            RollupKind::Journey(JourneyRollup::Flow),
            first.day,
            &nothing,
            &first.stage,
        );
    }
    for pair in path.steps.windows(2) {
        let [left, entered] = pair else { continue };
        let micros = entered.since.micros().saturating_sub(left.since.micros());
        let bucket = bucket_of(micros / MICROS_PER_SECOND);
        let way = format!("{}>{}", left.stage, entered.stage).into();
        let bucket = bucket.to_string().into();
        add(
            RollupKind::Journey(JourneyRollup::Stay),
            ALL_DAYS,
            &way,
            &bucket,
        );
        add(
            RollupKind::Journey(JourneyRollup::Flow),
            entered.day,
            &left.stage,
            &entered.stage,
        );
    }
    for (stage, place, day, furthest) in path.first_entries() {
        add(
            RollupKind::Journey(JourneyRollup::Entered),
            day,
            stage,
            &nothing,
        );
        if furthest > place {
            add(
                RollupKind::Journey(JourneyRollup::Advanced),
                day,
                stage,
                &nothing,
            );
            if furthest == path.last {
                add(
                    RollupKind::Journey(JourneyRollup::Completed),
                    day,
                    stage,
                    &nothing,
                );
            }
        }
    }
}
