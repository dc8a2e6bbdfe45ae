//! The canonical bytes of a whole state.

use tidemark_schemas::Instant;

use super::activity::Oldest;
use super::encoding::{Reader, Span, Writer, damaged};
use super::{
    Activity, Attributes, Conversations, CustomerState, FOLD_VERSION, Identity, Journeys, Orders,
    Records, StateError,
};

/// [`FOLD_VERSION`] as the first byte of every state.
pub(super) const VERSION_BYTE: u8 = 5;
/// Set in the first byte of a state with [`Records`], which come last. So nothing is said of them
/// where there are none, and still no state's bytes are the beginning of another's.
const WITH_RECORDS: u8 = 0x80;
const _: () = assert!(
    VERSION_BYTE as i32 == FOLD_VERSION,
    "the first byte names the fold version"
);

impl CustomerState {
    /// The canonical bytes: equal states, equal bytes.
    ///
    /// The version, then nothing for a customer without events; else first and last seen and the
    /// accumulators, with instants as distances from the first. A bit of the version says whether
    /// there are [`Records`].
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(512);
        let with_records = self.records.as_ref().map_or(0, |_| WITH_RECORDS);
        writer.byte(VERSION_BYTE | with_records);
        if let Some(span) = self.identity.span() {
            writer.signed(span.first.micros());
            writer.distance(span.first, span.last);
            self.identity.encode(span, &mut writer);
            self.attributes.encode(span, &mut writer);
            self.orders.encode(span, &mut writer);
            self.journeys.encode(span, &mut writer);
            self.activity.encode(span, &mut writer);
            self.conversations.encode(&mut writer);
            if let Some(records) = &self.records {
                records.encode(span, &mut writer);
            }
        }
        writer.into_bytes()
    }

    /// The state of canonical bytes. Whatever it accepts, [`Self::encode`] gives back.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader::new(bytes);
        let first_byte = reader.byte()?;
        let with_records = first_byte & WITH_RECORDS != 0;
        let version = first_byte & !WITH_RECORDS;
        if version != VERSION_BYTE {
            return Err(StateError(format!(
                "fold version {version}, expected {FOLD_VERSION}"
            )));
        }
        if !with_records && reader.finish().is_ok() {
            return Ok(Self::default());
        }
        let first = Instant::from_micros(reader.signed()?)
            .ok_or_else(|| damaged("an instant out of range"))?;
        let last = reader.instant(
            first,
            Span {
                first,
                last: Instant::MAX,
            },
        )?;
        let span = Span { first, last };
        let state = Self {
            identity: Identity::decode(span, &mut reader)?,
            attributes: Attributes::decode(span, &mut reader)?,
            orders: Orders::decode(span, &mut reader)?,
            journeys: Journeys::decode(span, &mut reader)?,
            activity: Activity::decode(span, &mut reader)?,
            conversations: Conversations::decode(&mut reader)?,
            records: if with_records {
                Some(Box::new(Records::decode(span, &mut reader)?))
            } else {
                None
            },
            oldest: Oldest::UNKNOWN,
            ..Self::default()
        };
        reader.finish()?;
        Ok(state)
    }
}
