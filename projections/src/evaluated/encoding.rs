//! The canonical form of an evaluated state: exactly one encoding of each, and nothing else is accepted.

use std::sync::Arc;

use tidemark_schemas::Instant;

use super::{Due, EvaluatedState, discrete_scores};
use crate::journeys::Path;
use crate::models::Band;
use crate::state::StateError;
use crate::state::encoding::{Reader, Writer, ascending, damaged};

/// The first byte of every evaluated: the version of this form.
const VERSION_BYTE: u8 = 4;
/// The code in place of a band without a score.
const NO_BAND: u8 = 0xff;
/// A length and an instant, or a length and a path, take this much at least.
const LEAST_ENTRY_BYTES: usize = 2;

impl EvaluatedState {
    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(128);
        writer.byte(VERSION_BYTE);
        writer.signed(self.evaluated_at.micros());
        writer.signed(self.definition_version);
        writer.signed(i64::from(self.evaluation_version));
        writer.byte(self.band.map_or(NO_BAND, Band::code));
        writer.count(self.segments.len());
        for (name, since) in &self.segments {
            writer.text(name);
            writer.signed(since.micros());
        }
        writer.count(self.paths.len());
        for (journey, path) in &self.paths {
            writer.text(journey);
            path.encode(&mut writer);
        }
        writer.signed(i64::from(self.credit_window));
        self.due.encode(&mut writer);
        discrete_scores::write(&self.discrete_scores, &self.offered, &mut writer);
        writer.into_bytes()
    }

    /// Decodes canonical bytes. Accepted bytes equal those of [`Self::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION_BYTE {
            return Err(StateError(format!(
                "evaluated state version {version}, expected {VERSION_BYTE}"
            )));
        }
        let mut evaluated = Self::new(0);
        evaluated.evaluated_at = instant(&mut reader)?;
        evaluated.definition_version = reader.signed()?;
        let version = i32::try_from(reader.signed()?).ok();
        evaluated.evaluation_version =
            version.ok_or_else(|| damaged("an evaluation version out of range"))?;
        evaluated.band = match reader.byte()? {
            NO_BAND => None,
            code => Some(Band::of_code(code).ok_or_else(|| damaged("an unknown band"))?),
        };
        let mut before: Option<Arc<str>> = None;
        for _ in 0..reader.count(LEAST_ENTRY_BYTES)? {
            let name: Arc<str> = reader.name()?;
            ascending(before.as_ref(), &name)?;
            let since = instant(&mut reader)?;
            evaluated.segments.insert(Arc::clone(&name), since);
            before = Some(name);
        }
        let mut before: Option<Arc<str>> = None;
        for _ in 0..reader.count(LEAST_ENTRY_BYTES)? {
            let journey: Arc<str> = reader.name()?;
            ascending(before.as_ref(), &journey)?;
            let path = Arc::new(Path::decode(&mut reader)?);
            evaluated.paths.insert(Arc::clone(&journey), path);
            before = Some(journey);
        }
        let window = i32::try_from(reader.signed()?).ok();
        evaluated.credit_window = window.ok_or_else(|| damaged("a window out of range"))?;
        evaluated.due = Due::decode(&mut reader)?;
        (evaluated.discrete_scores, evaluated.offered) = discrete_scores::read(&mut reader)?;
        reader.finish()?;
        Ok(evaluated)
    }
}

impl Due {
    fn encode(self, writer: &mut Writer) {
        match self {
            Self::Unknown => writer.byte(0),
            Self::Exactly(None) => writer.byte(1),
            Self::NotBefore(None) => writer.byte(2),
            Self::Exactly(Some(next)) => {
                writer.byte(3);
                writer.signed(next.micros());
            }
            Self::NotBefore(Some(next)) => {
                writer.byte(4);
                writer.signed(next.micros());
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(match reader.byte()? {
            0 => Self::Unknown,
            1 => Self::Exactly(None),
            2 => Self::NotBefore(None),
            3 => Self::Exactly(Some(instant(reader)?)),
            4 => Self::NotBefore(Some(instant(reader)?)),
            _ => return Err(damaged("an unknown due time")),
        })
    }
}

fn instant(reader: &mut Reader<'_>) -> Result<Instant, StateError> {
    Instant::from_micros(reader.signed()?).ok_or_else(|| damaged("an instant out of range"))
}
