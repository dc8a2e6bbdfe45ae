//! Scores of trained models: how they are counted, recorded and stored.

use std::sync::Arc;

use super::{ChangeKind, Log, Offered, offered};
use crate::counter::CounterKind;
use crate::models::{Band, RfmCell};
use crate::outputs::DiscreteScores;
use crate::state::StateError;
use crate::state::encoding::{Reader, Writer, damaged};

/// Bits of the byte that lists the scores present.
const RFM: u8 = 1;
const CLUSTER: u8 = 2;
const RENEWAL: u8 = 4;
const WORTH: u8 = 8;
const OFFERED: u8 = 16;

/// The discrete scores, as changes and counters hold them.
type Said = [(ChangeKind, CounterKind, Option<Arc<str>>); 3];

fn said(discrete_scores: &DiscreteScores) -> Said {
    let cluster = discrete_scores
        .cluster
        .map(|number| number.to_string().into());
    [
        (
            ChangeKind::Rfm,
            CounterKind::Rfm,
            discrete_scores.rfm.map(|cell| cell.name().into()),
        ),
        (ChangeKind::Cluster, CounterKind::Cluster, cluster),
        (
            ChangeKind::RenewalBand,
            CounterKind::RenewalBand,
            discrete_scores.renewal.map(|band| band.name().into()),
        ),
    ]
}

/// Notes what is different now.
pub(super) fn note(before: &DiscreteScores, now: &DiscreteScores, log: &mut Log<'_>) {
    for ((kind, _, from), (_, _, to)) in said(before).into_iter().zip(said(now)) {
        if from != to {
            log.note(kind, Arc::from(kind.name()), from, to);
        }
    }
}

/// Returns the amounts to add to counters.
pub(super) fn counters(
    before: &DiscreteScores,
    now: &DiscreteScores,
) -> Vec<(CounterKind, String, i64)> {
    let mut counters = Vec::new();
    for ((_, kind, from), (_, _, to)) in said(before).into_iter().zip(said(now)) {
        if from != to {
            let count = |name: Arc<str>, delta| (kind, String::from(&*name), delta);
            counters.extend(from.map(|name| count(name, -1)));
            counters.extend(to.map(|name| count(name, 1)));
        }
    }
    counters
}

/// Writes scores and offers at the end of an evaluated state; nothing if there are none.
pub(super) fn write(discrete_scores: &DiscreteScores, offers: &Offered, writer: &mut Writer) {
    let DiscreteScores {
        rfm,
        cluster,
        renewal,
        value_minor,
    } = discrete_scores;
    let bit = |there: bool, bit: u8| if there { bit } else { 0 };
    let bits = bit(rfm.is_some(), RFM)
        | bit(cluster.is_some(), CLUSTER)
        | bit(renewal.is_some(), RENEWAL)
        | bit(value_minor.is_some(), WORTH)
        | bit(!offers.is_empty(), OFFERED);
    if bits == 0 {
        return;
    }
    writer.byte(bits);
    if let Some(cell) = rfm {
        writer.raw(&[cell.recency, cell.frequency, cell.monetary]);
    }
    if let Some(number) = cluster {
        writer.unsigned(u64::from(*number));
    }
    if let Some(band) = renewal {
        writer.byte(band.code());
    }
    if let Some(value) = value_minor {
        writer.signed(*value);
    }
    if !offers.is_empty() {
        offered::write(offers, writer);
    }
}

/// Reads what [`write`] wrote.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(DiscreteScores, Offered), StateError> {
    let (mut discrete_scores, mut offers) = (DiscreteScores::default(), Offered::new());
    if reader.finish().is_ok() {
        return Ok((discrete_scores, offers));
    }
    let bits = reader.byte()?;
    if bits == 0 || bits > RFM + CLUSTER + RENEWAL + WORTH + OFFERED {
        return Err(damaged("a scores without any known bit"));
    }
    if bits & RFM != 0 {
        let [recency, frequency, monetary] = reader.array()?;
        if ![recency, frequency, monetary]
            .iter()
            .all(|fifth| (1..=5).contains(fifth))
        {
            return Err(damaged("a fifth beyond five"));
        }
        discrete_scores.rfm = Some(RfmCell {
            recency,
            frequency,
            monetary,
        });
    }
    if bits & CLUSTER != 0 {
        let number = u16::try_from(reader.unsigned()?);
        discrete_scores.cluster = Some(number.map_err(|_| damaged("the number of a cluster"))?);
    }
    if bits & RENEWAL != 0 {
        let band = Band::of_code(reader.byte()?);
        discrete_scores.renewal = Some(band.ok_or_else(|| damaged("an unknown band"))?);
    }
    if bits & WORTH != 0 {
        discrete_scores.value_minor = Some(reader.signed()?);
    }
    if bits & OFFERED != 0 {
        offers = offered::read(reader)?;
    }
    Ok((discrete_scores, offers))
}
