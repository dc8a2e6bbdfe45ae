//! Segment expressions, validated: names resolved, texts parsed, patterns compiled.

use std::sync::Arc;

use regex::Regex;
use tidemark_schemas::{AttributeValue, Instant};

pub use super::quantities::Duration;
use crate::models::Band;
use crate::state::LeafId;

mod habits;
mod members;
mod records;
mod scores;

pub use habits::{
    ActivityPattern, Period, RegularlyCondition, RestartedCondition, SequenceCondition,
    SequenceRule,
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
    /// At least one of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// Membership of another segment of the tenant.
    Segment(SegmentReference),
    /// What an attribute's value is, and for how long.
    Attribute(AttributeCondition),
    /// How often something was done, and when.
    Event(EventCondition),
    /// How many orders, and of what value.
    Orders(OrdersCondition),
    /// Where the customer stands in a journey.
    Stage(StageCondition),
    /// How likely the customer is gone.
    Churn(ChurnCondition),
    /// What trained models say of the customer.
    Score(ScoreCondition),
    /// What is known of subscriptions, tickets, campaigns, offers, consents and conversations.
    Record(RecordCondition),
    /// One activity after the other.
    Sequence(SequenceCondition),
    /// An activity that recurs.
    Regularly(RegularlyCondition),
    /// An activity taken up again.
    Restarted(RestartedCondition),
    /// Long in another segment.
    MemberFor(MemberForCondition),
    /// In a share of all customers.
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

    /// The segment whose membership this very condition asks for.
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

/// How a quantity relates to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
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

/// Tests of one attribute, all of which must hold.
#[derive(Debug)]
pub struct AttributeCondition {
    /// The attribute.
    pub name: Arc<str>,
    /// What must be true of its value.
    pub tests: Vec<AttributeTest>,
    /// For how long it must have had that value at least.
    pub has_been_for: Option<Duration>,
}

/// A test of an attribute's value.
#[derive(Debug)]
pub enum AttributeTest {
    /// The same value; numbers compare exactly, whether whole or not.
    Equals(AttributeValue),
    /// Not [`Self::Equals`]: true of an attribute without value, too.
    NotEquals(AttributeValue),
    /// A number that compares to this one like this.
    Compares(Comparison, AttributeValue),
    /// One of these values.
    In(Vec<AttributeValue>),
    /// Not [`Self::In`]: true of an attribute without value, too.
    NotIn(Vec<AttributeValue>),
    /// A text that contains this one.
    Contains(Arc<str>),
    /// A text that starts with this one.
    StartsWith(Arc<str>),
    /// A text that ends with this one.
    EndsWith(Arc<str>),
    /// A text in which this pattern is found; linear in the text's length.
    Matches(Regex),
    /// Has a value.
    Exists,
    /// Was never set, or was set to null.
    Missing,
    /// A point in time before this instant.
    Before(Instant),
    /// A point in time at this instant or later.
    From(Instant),
    /// A point in time that is past, but not longer than this.
    WithinLast(Duration),
}

/// Conditions on activities of one name, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct EventCondition {
    /// The activity.
    pub name: Arc<str>,
    /// Of those whose properties satisfy this leaf of [`super::TenantDefinitions::tracked`]; `None`:
    /// of all.
    pub tracked: Option<LeafId>,
    /// Which of them are counted.
    pub window: EventWindow,
    /// How many.
    pub count: Bounds<i64>,
    /// How long ago the first one was.
    pub first_time: Option<Ago>,
    /// How long ago the newest one was.
    pub last: Option<Ago>,
}

/// What is noted as it comes, because what it must satisfy is not kept.
#[derive(Debug)]
pub enum TrackedLeaf {
    /// Activities, counted.
    Count(ActivityPattern),
    /// How far a customer has come in a sequence.
    Sequence(SequenceRule),
}

/// Which activities count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventWindow {
    /// All.
    Ever,
    /// Those of the last so many microseconds.
    LastMicros(i64),
    /// Those of today and the days before it, so many days in all.
    LastDays(i32),
    /// Those from one day to another, both included; days since 1970-01-01.
    Between(i32, i32),
}

/// How long ago something was. Of what never was neither holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ago {
    /// Not as long ago as that. A window in days is made of whole days, today and those before it.
    Within(Duration),
    /// Longer ago.
    NotWithin(Duration),
}

/// Conditions on the orders of a window, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct OrdersCondition {
    /// Which orders.
    pub window: OrderWindow,
    /// How many orders.
    pub count: Bounds<i64>,
    /// Their amounts less refunds, in minor units of the tenant's currency.
    pub revenue: Bounds<i64>,
    /// Revenue by order; without orders no bound holds.
    pub average: Bounds<i64>,
}

/// Which orders count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderWindow {
    /// All.
    Ever,
    /// Those of today and the days before it, so many days in all.
    LastDays(i32),
    /// Those from one day to another, both included; days since 1970-01-01.
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
    /// For how long the customer must have been in the current stage at least.
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
