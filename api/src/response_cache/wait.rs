//! `Tidemark-Wait: <topic>/<partition>@<offset>`: read-your-writes for the records at positions.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use tokio::sync::watch;

use super::position::Positions;
use crate::http::Problem;

const HEADER: HeaderName = HeaderName::from_static("tidemark-wait");
/// More positions than any topic has partitions.
const MAX_POSITIONS: usize = 1_024;

/// The position of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    topic: String,
    partition: i32,
    offset: i64,
}

/// The positions that must be folded before the request is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AwaitedPositions(Vec<Position>);

impl AwaitedPositions {
    /// Returns true if the request has the header.
    pub(crate) fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(HEADER)
    }

    /// Reads the positions, separated by commas; `None` if there are none.
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut positions = Vec::new();
        for value in headers.get_all(HEADER) {
            let value = value.to_str().map_err(|_| malformed("it is not ASCII"))?;
            for text in value.split(',') {
                positions.push(parse(text.trim())?);
            }
        }
        if positions.len() > MAX_POSITIONS {
            let detail = format!("it has more than {MAX_POSITIONS} positions");
            return Err(malformed(&detail));
        }
        Ok((!positions.is_empty()).then_some(Self(positions)))
    }

    /// Waits until all positions are folded; 503 if that takes longer than `limit`.
    pub(super) async fn wait(
        &self,
        positions: &watch::Sender<Option<Arc<Positions>>>,
        limit: Duration,
    ) -> Result<(), Problem> {
        // While there is a receiver, the follower looks more often.
        let mut seen = positions.subscribe();
        match tokio::time::timeout(limit, self.wait_until_folded(&mut seen)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(not_folded(limit)),
        }
    }

    async fn wait_until_folded(
        &self,
        seen: &mut watch::Receiver<Option<Arc<Positions>>>,
    ) -> Result<(), Problem> {
        loop {
            let positions = seen.borrow_and_update().clone();
            if let Some(positions) = positions
                && self.are_folded_at(&positions)?
            {
                return Ok(());
            }
            if seen.changed().await.is_err() {
                return Err(not_folded(Duration::ZERO));
            }
        }
    }

    fn are_folded_at(&self, positions: &Positions) -> Result<bool, Problem> {
        let mut are_folded = true;
        for awaited in &self.0 {
            if awaited.topic != positions.topic {
                let detail = format!("{:?} is not the topic that is folded", awaited.topic);
                return Err(Problem::unprocessable("tidemark-wait", detail));
            }
            if awaited.partition >= positions.partition_count {
                let detail = format!(
                    "the topic has no partition {}, only {}",
                    awaited.partition, positions.partition_count
                );
                return Err(Problem::unprocessable("tidemark-wait", detail));
            }
            are_folded &= positions.next_offset(awaited.partition) > awaited.offset;
        }
        Ok(are_folded)
    }
}

fn parse(text: &str) -> Result<Position, Problem> {
    let parts = text
        .rsplit_once('@')
        .and_then(|(place, offset)| Some((place.rsplit_once('/')?, offset)));
    let Some(((topic, partition), offset)) = parts else {
        return Err(malformed(&format!("{text:?} is not a position")));
    };
    // Only digits: `parse` would accept a sign.
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let (Ok(partition), Ok(offset), true, false) = (
        partition.parse(),
        offset.parse(),
        number(partition) && number(offset),
        topic.is_empty(),
    ) else {
        return Err(malformed(&format!("{text:?} is not a position")));
    };
    Ok(Position {
        topic: topic.to_owned(),
        partition,
        offset,
    })
}

fn malformed(detail: &str) -> Problem {
    let detail = format!("Tidemark-Wait: {detail}; expected <topic>/<partition>@<offset>");
    Problem::malformed(detail).with_parameter("tidemark-wait")
}

fn not_folded(limit: Duration) -> Problem {
    let seconds = limit.as_secs_f32();
    let detail = format!("what Tidemark-Wait names was not folded within {seconds} s");
    Problem::retryable("not-folded", "Not folded yet", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::http::HeaderValue;

    use super::*;

    fn awaited(values: &[&'static str]) -> Result<Option<AwaitedPositions>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_static(value));
        }
        AwaitedPositions::from_headers(&headers)
    }

    #[test]
    fn positions_separated_by_commas_are_parsed() {
        let position = |topic: &str, partition, offset| Position {
            topic: topic.to_owned(),
            partition,
            offset,
        };
        assert_eq!(awaited(&[]).unwrap(), None);
        assert_eq!(
            awaited(&["customer-events/3@17, b/0@0", "c/1@9223372036854775807"]).unwrap(),
            Some(AwaitedPositions(vec![
                position("customer-events", 3, 17),
                position("b", 0, 0),
                position("c", 1, i64::MAX),
            ]))
        );
    }

    #[test]
    fn anything_but_a_position_is_malformed() {
        for text in [
            "",
            "a",
            "a/1",
            "a@1",
            "/1@1",
            "a/@1",
            "a/1@",
            "a/-1@1",
            "a/+1@1",
            "a/1@-1",
            "a/1@x",
            "a/1@1,",
            "a/4294967296@1",
            "a/1@9223372036854775808",
            "a/1 @1",
        ] {
            let problem = awaited(&[text]).unwrap_err();
            assert_eq!(problem.kind(), "malformed", "{text:?}");
        }
    }
}
