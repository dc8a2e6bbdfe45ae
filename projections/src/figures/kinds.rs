//! The kinds of figures, with what their dimensions are. What is not said of a dimension is empty.

/// Customers, on the day of their first event.
pub const CUSTOMERS_NEW: &str = "customer.new";

/// Orders, on the day they were placed; by currency.
pub const ORDERS: &str = "revenue.orders";
/// What orders came to, in minor units, on the day they were placed; by currency.
pub const GROSS: &str = "revenue.gross";
/// Refunds of orders, on the day they were made; by currency.
pub const REFUNDS: &str = "revenue.refunds";
/// What was given back of orders, in minor units, on the day it was; by currency.
pub const REFUNDED: &str = "revenue.refunded";

/// Entries of a segment (one), on the day they took effect.
pub const SEGMENT_ENTERED: &str = "segment.entered";
/// Exits of a segment (one), on the day they took effect.
pub const SEGMENT_LEFT: &str = "segment.left";
/// Moves into a stage (two) of a journey (one), on the day they took effect.
pub const STAGE_ENTERED: &str = "stage.entered";
/// Moves out of a stage (two) of a journey (one), on the day they took effect.
pub const STAGE_LEFT: &str = "stage.left";
/// Moves into a band (two) of a score (one: `churn`), on the day they took effect.
pub const BAND_ENTERED: &str = "band.entered";
/// Moves out of a band (two) of a score (one: `churn`), on the day they took effect.
pub const BAND_LEFT: &str = "band.left";
