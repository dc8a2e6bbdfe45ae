//! Counters: how many customers, offers, parked and forwarded events a tenant has, by kind and name.

/// A kind of counter. Each variant documents the names of its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKind {
    /// The number of customers. The name is empty.
    Customers,
    /// The number of members of a segment, by its name.
    Segment,
    /// The number of customers in a stage: `journey/stage`.
    Stage,
    /// The number of customers in a churn band, by its name.
    Band,
    /// The number of customers in an RFM cell, as three digits: recency, frequency, monetary.
    Rfm,
    /// The number of customers in a cluster, by its number from 1.
    Cluster,
    /// The number of subscribers in a band of the risk to cancel, by its name.
    RenewalBand,
    /// The number of offers and acceptances of an action: `action/offered` and `action/accepted`.
    Offer,
    /// The same of the members of a segment: `action/segment/offered` and `action/segment/accepted`.
    OfferSegment,
    /// The number of parked events, by reason.
    Parked,
    /// The number of discarded events, by the reason they were parked for.
    Discarded,
    /// The number of misrouted events published to their expected partition, by cause.
    Forwarded,
}

impl CounterKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Customers,
        Self::Segment,
        Self::Stage,
        Self::Band,
        Self::Rfm,
        Self::Cluster,
        Self::RenewalBand,
        Self::Offer,
        Self::OfferSegment,
        Self::Parked,
        Self::Discarded,
        Self::Forwarded,
    ];

    /// Returns the stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Segment => "segment",
            Self::Stage => "stage",
            Self::Band => "band",
            Self::Rfm => "rfm",
            Self::Cluster => "cluster",
            Self::RenewalBand => "renewal_band",
            Self::Offer => "offer",
            Self::OfferSegment => "offer_segment",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
            Self::Forwarded => "forwarded",
        }
    }

    /// Returns the kind of a stored name; `None` if there is no such kind.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
