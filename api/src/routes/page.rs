//! Pages of lists ordered by customer id, or by a number.

use crate::cursor::{self, InvalidCursor, Question};
use crate::http::Problem;
use tidemark_schemas::CustomerId;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

/// Returns the number of rows of a page.
pub(super) fn limit(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("limit is {limit}; it must be from 1 to {MAX_LIMIT}");
    Err(Problem::unprocessable("limit", detail))
}

/// Returns the position at which the previous page ended, in a list that is not ordered by customer
/// id.
pub(super) fn last(question: &Question, cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let last = cursor.map(|text| cursor::decode_text(question, text));
    last.transpose().map_err(refused)
}

/// Returns the problem for a cursor that no list can have returned.
pub(super) fn malformed_cursor() -> Problem {
    refused(InvalidCursor::Malformed)
}

fn refused(error: InvalidCursor) -> Problem {
    let detail = error.to_string();
    match error {
        InvalidCursor::Malformed => Problem::malformed(detail).with_parameter("cursor"),
        InvalidCursor::Foreign => Problem::unprocessable("cursor", detail),
    }
}

/// The page a request asks for, in a list ordered by customer id.
#[derive(Debug)]
pub(super) struct Page {
    question: Question,
    /// The number of rows.
    limit: u32,
    /// The customer id the page begins after; empty, which sorts before every id, for the first
    /// page.
    after: String,
}

impl Page {
    pub(super) fn new(
        question: Question,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = self::limit(limit)?;
        let last = cursor.map(|text| cursor::decode(&question, text));
        let last = last.transpose().map_err(refused)?;
        let after = last.map_or_else(String::new, |last| last.as_str().to_owned());
        Ok(Self {
            question,
            limit,
            after,
        })
    }

    /// Returns the lower bound for the statement: rows have a greater id.
    pub(super) fn after(&self) -> &str {
        &self.after
    }

    /// Returns the limit for the statement: one row more than the page has, to detect a next page.
    pub(super) fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts the rows to the page, and returns the cursor of the next page if there is one.
    pub(super) fn cut<T>(
        &self,
        mut rows: Vec<T>,
        id: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if rows.len() <= limit {
            return (rows, None);
        }
        rows.truncate(limit);
        let next = rows
            .last()
            .map(|row| cursor::encode(&self.question, id(row)));
        (rows, next)
    }
}

/// The page a request asks for, in a list ordered by a descending number and, among equals, by
/// descending id.
#[derive(Debug)]
pub(super) struct RankedPage {
    question: Question,
    limit: u32,
    /// The position the page begins after; `None` for the first page.
    after: Option<(i64, String)>,
}

impl RankedPage {
    pub(super) fn new(
        question: Question,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = self::limit(limit)?;
        let after = cursor.map(|text| {
            let last = cursor::decode_text(&question, text)?;
            let (rank, id) = last.split_once(' ').ok_or(InvalidCursor::Malformed)?;
            let rank = rank.parse().map_err(|_| InvalidCursor::Malformed)?;
            let id = CustomerId::new(id).map_err(|_| InvalidCursor::Malformed)?;
            Ok((rank, id.as_str().to_owned()))
        });
        Ok(Self {
            question,
            limit,
            after: after.transpose().map_err(refused)?,
        })
    }

    /// Returns the upper bound for the statement: rows have a lower number, or the same and a lower
    /// id.
    pub(super) fn after(&self) -> (i64, Option<&str>) {
        let after = self.after.as_ref();
        after.map_or((i64::MAX, None), |(rank, id)| (*rank, Some(id)))
    }

    /// Returns the limit for the statement: one row more than the page has, to detect a next page.
    pub(super) fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts the rows to the page, and returns the cursor of the next page if there is one.
    pub(super) fn cut<T>(
        &self,
        mut rows: Vec<T>,
        place: impl Fn(&T) -> (i64, &str),
    ) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if rows.len() <= limit {
            return (rows, None);
        }
        rows.truncate(limit);
        let next = rows.last().map(|row| {
            let (rank, id) = place(row);
            cursor::encode(&self.question, &format!("{rank} {id}"))
        });
        (rows, next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn page(limit: Option<u32>, cursor: Option<&str>) -> Result<Page, Problem> {
        Page::new(Question::new(&[Some("acme")]), limit, cursor)
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let ids = ["a", "b", "c", "d", "e"];
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = page(Some(2), cursor.as_deref()).unwrap();
            let rows = ids.iter().filter(|id| **id > page.after()).copied();
            let rows = rows.take(usize::try_from(page.rows()).unwrap()).collect();
            let (rows, next) = page.cut(rows, |id| id);
            seen.extend(rows);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids);
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(page(None, None).unwrap().rows(), 51);
        assert!(page(Some(500), None).is_ok());
        for limit in [0, 501, u32::MAX] {
            let refused = page(Some(limit), None).unwrap_err();
            assert_eq!(refused.kind(), "unprocessable");
            assert_eq!(refused.parameter(), Some("limit"));
        }
    }
}
