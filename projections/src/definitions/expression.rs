//! Segment expressions, validated: names resolved, texts parsed, patterns compiled.

use std::sync::Arc;

pub use crate::days::Duration;
use crate::models::Band;
use crate::state::LeafId;

mod attributes;
mod habits;
mod members;
mod records;
mod scores;

pub use attributes::{AttributeCondition, AttributeTest};
pub use habits::{
    ActivityPattern, Period, RegularlyCondition, RestartedCondition, SequenceCondition,
    SequenceRule, TrackedLeaf,
};
pub use members::{BucketCondition, ManualCondition, MemberForCondition};
pub use records::{
    CampaignCondition, ConsentCondition, ConversationCondition, Counted, DayWindow, OfferAnswer,
    OfferCondition, Quantity, RecordCondition, SubscriptionCondition, TicketCondition,
};
pub(crate) use scores::StayTable;
pub use scores::{ConversionCondition, RfmCondition, ScoreCondition, ValueCondition};

/// A condition over one customer.
#[derive(Debug)]
pub enum Expression {
    /// Every one of these.
    All(Vec<Self>),
    /// At least one of the expressions holds.
    Any(Vec<Self>),
    /// The expression does not hold.
    Not(Box<Self>),
    /// Membership of another segment of the tenant.
    Segment(SegmentReference),
    /// A condition on an attribute's value, and on its duration.
    Attribute(AttributeCondition),
    /// A condition on number and times of activities.
    Event(EventCondition),
    /// A condition on number and value of orders.
    Orders(OrdersCondition),
    /// A condition on the stage in a journey.
    Stage(StageCondition),
    /// A condition on churn risk.
    Churn(ChurnCondition),
    /// A condition on the scores of trained models.
    Score(ScoreCondition),
    /// A condition on subscriptions, tickets, campaigns, offers, consents and conversations.
    Record(RecordCondition),
    /// One activity after the other.
    Sequence(SequenceCondition),
    /// An activity that recurs.
    Regularly(RegularlyCondition),
    /// An activity taken up again.
    Restarted(RestartedCondition),
    /// Long in another segment.
    MemberFor(MemberForCondition),
    /// Membership in a share of all customers.
    Bucket(BucketCondition),
    /// Listed by name.
    Manual(ManualCondition),
}

impl Expression {
    /// The conditions this one is made of; a leaf has none.
    pub fn inner(&self) -> &[Self] {
        if let Self::All(inner) | Self::Any(inner) = self {
            inner
        } else if let Self::Not(inner) = self {
            std::slice::from_ref(inner)
        } else {
            &[]
        }
    }

    /// Returns the segment that the condition refers to.
    pub fn refers_to(&self) -> Option<&SegmentReference> {
        if let Self::Segment(reference)
        | Self::MemberFor(MemberForCondition {
            segment: reference, ..
        }) = self
        {
            Some(reference)
        } else {
            None
        }
    }

    /// The journey in which this very condition asks where the customer stands.
    pub fn journey(&self) -> Option<&Arc<str>> {
        if let Self::Stage(StageCondition { journey, .. })
        | Self::Score(ScoreCondition::Conversion(ConversionCondition { journey, .. })) = self
        {
            Some(journey)
        } else {
            None
        }
    }

    /// Calls for this condition and each inside it.
    pub(crate) fn each<'e>(&'e self, call: &mut dyn FnMut(&'e Self)) {
        call(self);
        for inner in self.inner() {
            inner.each(call);
        }
    }
}

/// Another segment of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReference {
    /// Its name.
    pub name: Arc<str>,
    /// Its place in [`super::TenantDefinitions::segments`], before the segment that refers to it.
    pub index: usize,
}

/// A comparison of a quantity with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// The quantity differs from the bound.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

impl Comparison {
    /// Whether it holds for a quantity that compares to the bound like this.
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Gt => ordering.is_gt(),
            Self::Gte => ordering.is_ge(),
            Self::Lt => ordering.is_lt(),
            Self::Lte => ordering.is_le(),
        }
    }
}

/// Bounds of a quantity, all of which must hold; none hold always.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds<T>(pub Vec<(Comparison, T)>);

impl<T> Bounds<T> {
    /// Whether all hold; `compare` compares the quantity to a bound.
    pub fn hold(&self, compare: impl Fn(&T) -> std::cmp::Ordering) -> bool {
        self.0
            .iter()
            .all(|(comparison, bound)| comparison.holds(compare(bound)))
    }
}

/// Conditions on activities of one name, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct EventCondition {
    /// The activity.
    pub name: Arc<str>,
    /// The leaf of [`super::TenantDefinitions::tracked`] that counts the activities with matching
    /// properties; `None`: all activities count.
    pub tracked: Option<LeafId>,
    /// The window.
    pub window: EventWindow,
    /// The number of activities.
    pub count: Bounds<i64>,
    /// The age of the first one.
    pub first_time: Option<Ago>,
    /// The age of the newest one.
    pub last: Option<Ago>,
}

/// The window of activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventWindow {
    /// All.
    Ever,
    /// The last microseconds, as many as given.
    LastMicros(i64),
    /// Today and the days before it, as many days as given.
    LastDays(i32),
    /// The days from one to another, both included; days since 1970-01-01.
    Between(i32, i32),
}

/// A condition on an age. For something that never happened, neither variant holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ago {
    /// The age is less. A window in days consists of whole days, today and those before it.
    Within(Duration),
    /// Longer ago.
    NotWithin(Duration),
}

/// Conditions on the orders of a window, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct OrdersCondition {
    /// The window of orders.
    pub window: OrderWindow,
    /// The number of orders.
    pub count: Bounds<i64>,
    /// Their amounts less refunds, in minor units of the tenant's currency.
    pub revenue: Bounds<i64>,
    /// Revenue by order; without orders no bound holds.
    pub average: Bounds<i64>,
}

/// The window of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderWindow {
    /// All.
    Ever,
    /// Today and the days before it, as many days as given.
    LastDays(i32),
    /// The days from one to another, both included; days since 1970-01-01.
    Between(i32, i32),
}

/// Conditions on a customer's place in a journey, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCondition {
    /// The journey.
    pub journey: Arc<str>,
    /// The current stage is one of these; empty: any.
    pub is: Vec<Arc<str>>,
    /// This stage or a later one was entered once.
    pub reached: Option<Arc<str>>,
    /// The least duration in the current stage.
    pub in_for: Option<Duration>,
}

/// Conditions on the churn score, all of which must hold; none does without a score.
#[derive(Debug, Clone, PartialEq)]
pub struct ChurnCondition {
    /// The band is one of these; empty: any.
    pub bands: Vec<Band>,
    /// 1 − P(alive).
    pub risk: Bounds<f64>,
    /// P(alive).
    pub p_alive: Bounds<f64>,
}
