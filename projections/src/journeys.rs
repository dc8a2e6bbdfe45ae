//! The paths customers take through a journey, and what a tenant's paths add up to.
//!
//! A [`Path`] is what was last known of one customer's way: part of its evaluated state. What is counted of
//! paths are [rollups](crate::rollups), corrected by what tells two paths of a customer apart. A
//! [`Funnel`] is what these rollups say.

mod encoding;
mod flows;
mod funnel;
mod path;

pub(crate) use flows::count;
pub use funnel::{Bottleneck, Dwell, Funnel, FunnelStage, Link, Sums};
pub use path::{Early, MAX_STEPS, Path, Step, Trigger};
pub(crate) use path::{enter, runs};
