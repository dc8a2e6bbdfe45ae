//! `Tidemark-Wait: <topic>/<partition>@<offset>`: an answer that has what was written there.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use tokio::sync::watch;

use super::position::Positions;
use crate::Service;
use crate::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("tidemark-wait");
/// More than any topic has partitions worth waiting for.
const POSITIONS_AT_MOST: usize = 1_024;

/// A record that must be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    topic: String,
    partition: i32,
    offset: i64,
}

/// All that must be folded before the request is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted(Vec<Position>);

impl Wanted {
    pub(super) fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(HEADER)
    }

    /// `None` where nothing is asked to be waited for. Several are separated by commas.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut positions = Vec::new();
        for value in headers.get_all(HEADER) {
            let value = value.to_str().map_err(|_| malformed("it is not ASCII"))?;
            for text in value.split(',') {
                positions.push(parse(text.trim())?);
            }
        }
        if positions.len() > POSITIONS_AT_MOST {
            let detail = format!("it has more than {POSITIONS_AT_MOST} positions");
            return Err(malformed(&detail));
        }
        Ok((!positions.is_empty()).then_some(Self(positions)))
    }

    /// Waits until everything is folded; 503 where that takes too long.
    pub(super) async fn reached(&self, service: &Service) -> Result<(), Problem> {
        let limit = service.limits().wait_timeout;
        // While somebody listens, the follower looks more often.
        let mut seen = service.answers().positions.subscribe();
        match tokio::time::timeout(limit, self.reached_in(&mut seen)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Problem::NotFolded { limit }),
        }
    }

    async fn reached_in(
        &self,
        seen: &mut watch::Receiver<Option<Arc<Positions>>>,
    ) -> Result<(), Problem> {
        loop {
            let positions = seen.borrow_and_update().clone();
            if let Some(positions) = positions
                && self.is_reached(&positions)?
            {
                return Ok(());
            }
            if seen.changed().await.is_err() {
                return Err(Problem::NotFolded {
                    limit: Duration::ZERO,
                });
            }
        }
    }

    fn is_reached(&self, positions: &Positions) -> Result<bool, Problem> {
        let mut is_reached = true;
        for wanted in &self.0 {
            if wanted.topic != positions.topic {
                let detail = format!("{:?} is not the topic that is folded", wanted.topic);
                return Err(Problem::unprocessable("tidemark-wait", detail));
            }
            if wanted.partition >= positions.partition_count {
                let detail = format!(
                    "the topic has no partition {}, only {}",
                    wanted.partition, positions.partition_count
                );
                return Err(Problem::unprocessable("tidemark-wait", detail));
            }
            is_reached &= positions.next_offset(wanted.partition) > wanted.offset;
        }
        Ok(is_reached)
    }
}

fn parse(text: &str) -> Result<Position, Problem> {
    let parts = text
        .rsplit_once('@')
        .and_then(|(place, offset)| Some((place.rsplit_once('/')?, offset)));
    let Some(((topic, partition), offset)) = parts else {
        return Err(malformed(&format!("{text:?} is not a position")));
    };
    // Digits alone: `parse` would take a sign.
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
    Problem::Malformed {
        parameter: Some("tidemark-wait"),
        detail: format!("Tidemark-Wait: {detail}; expected <topic>/<partition>@<offset>"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::http::HeaderValue;

    use super::*;

    fn wanted(values: &[&'static str]) -> Result<Option<Wanted>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_static(value));
        }
        Wanted::of(&headers)
    }

    #[test]
    fn positions_are_read() {
        let position = |topic: &str, partition, offset| Position {
            topic: topic.to_owned(),
            partition,
            offset,
        };
        assert_eq!(wanted(&[]).unwrap(), None);
        assert_eq!(
            wanted(&["customer-events/3@17, b/0@0", "c/1@9223372036854775807"]).unwrap(),
            Some(Wanted(vec![
                position("customer-events", 3, 17),
                position("b", 0, 0),
                position("c", 1, i64::MAX),
            ]))
        );
    }

    #[test]
    fn what_is_no_position_is_malformed() {
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
            assert!(
                matches!(wanted(&[text]), Err(Problem::Malformed { .. })),
                "{text:?}"
            );
        }
    }
}
