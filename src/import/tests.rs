//! Mappings by example.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use tidemark_schemas::{CustomerEvent, Payload};

use super::*;

const CDNOW: &str = include_str!("../../data/cdnow/mapping.toml");

/// Returns a mapping of orders with the given parts.
fn orders(input: &str, event: &str, payload: &str) -> Mapping {
    let text = format!(
        "[input]\n{input}\n[event]\ntenant_id = 'acme'\ncustomer_id = '{{id}}'\nsource = 'shop'\n\
         type = 'order_placed'\n{event}\n[payload]\norder_id = '{{@event_id}}'\n{payload}"
    );
    Mapping::parse(&text).unwrap()
}

const AT: &str = "occurred_at = { column = 'at' }";
const AMOUNT: &str = "amount_minor = { column = 'amount', as = 'money' }\ncurrency = 'EUR'";

fn read(mapping: &Mapping, file: &str) -> Vec<Result<CustomerEvent, String>> {
    events(mapping, file.as_bytes())
        .unwrap()
        .map(|event| event.map(|(_, event)| event).map_err(|bad| bad.to_string()))
        .collect()
}

fn amount(event: &CustomerEvent) -> i64 {
    let Payload::OrderPlaced(order) = &event.payload else {
        panic!("{event:?}")
    };
    order.amount_minor
}

#[test]
fn line_ends_make_no_difference() {
    let log = " 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118  2   29.73\r\n";
    let mapping = Mapping::parse(CDNOW).unwrap();
    let with_cr: Vec<_> = read(&mapping, log)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(with_cr[0].key().record_key(), "cdnow/0001");
    assert_eq!(with_cr[0].occurred_at.to_string(), "1997-01-01T00:00:00Z");
    assert_eq!(with_cr.iter().map(amount).collect::<Vec<_>>(), [2933, 2973]);
    let without: Vec<_> = read(&mapping, &log.replace('\r', ""))
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(with_cr, without);
}

#[test]
fn every_row_of_cdnow_is_a_distinct_event() {
    let mapping = Mapping::parse(CDNOW).unwrap();
    let log = include_str!("../../data/cdnow/CDNOW_sample.txt");
    let events: Vec<_> = read(&mapping, log)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(events.len(), 6_919);
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids.len(), events.len());
    let customers: std::collections::BTreeSet<_> = events.iter().map(CustomerEvent::key).collect();
    assert_eq!(customers.len(), 2_357);
}

#[test]
fn importing_the_same_rows_again_gives_the_same_events() {
    let mapping = orders("", AT, AMOUNT);
    let file = "id,at,amount\n1,2026-01-01T00:00:00Z,5\n1,2026-01-01T00:00:00Z,5\n";
    let first: Vec<_> = read(&mapping, file)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let again: Vec<_> = read(&mapping, file)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(first, again);
    assert_ne!(first[0].event_id, first[1].event_id, "two alike are two");
    // Columns in another order, and other rows between, change nothing.
    let moved = "amount,id,at\n7,2,2026-01-02T00:00:00Z\n5,1,2026-01-01T00:00:00Z\n";
    let moved: Vec<_> = read(&mapping, moved)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(moved[1], first[0]);
}

#[test]
fn columns_outside_the_identity_do_not_change_events() {
    let mapping = orders("", &format!("{AT}\nidentity = ['number']"), AMOUNT);
    let file = |synced: &str| {
        format!("id,number,at,amount,synced\n1,77,2026-01-01T00:00:00Z,5,{synced}\n")
    };
    assert_eq!(
        read(&mapping, &file("today")),
        read(&mapping, &file("yesterday"))
    );
}

#[test]
fn money_is_converted_exactly() {
    #[track_caller]
    fn check(text: &str, currency: &str, expected: Result<i64, &str>) {
        let payload = format!(
            "amount_minor = {{ column = 'amount', as = 'money', thousands_separator = ',' }}\n\
             currency = '{currency}'"
        );
        let mapping = orders("delimiter = ';'", AT, &payload);
        let file = format!("id;at;amount\n1;2026-01-01T00:00:00Z;{text}\n");
        match (read(&mapping, &file).remove(0), expected) {
            (Ok(event), Ok(expected)) => assert_eq!(amount(&event), expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{part:?} not in {error:?}"),
            (found, expected) => panic!("{text}: found {found:?}, expected {expected:?}"),
        }
    }
    check("29.33", "USD", Ok(2_933));
    check("0.07", "EUR", Ok(7));
    check(".5", "EUR", Ok(50));
    check("1,234.5", "EUR", Ok(123_450));
    check("+3", "EUR", Ok(300));
    check("12.50", "JPY", Err("more than 0 decimals"));
    check("12.00", "JPY", Ok(12));
    check("1.234", "KWD", Ok(1_234));
    check("9999999999999.99", "EUR", Ok(999_999_999_999_999));
    check("1.005", "EUR", Err("more than 2 decimals"));
    check("1e3", "EUR", Err("not an amount"));
    check(".", "EUR", Err("not an amount"));
    check("99999999999999999999", "EUR", Err("too large"));
    check("-1", "EUR", Err("amount_minor"));
    check("1", "EUX", Err("currency"));
}

#[test]
fn times_are_read_in_their_zone() {
    #[track_caller]
    fn check(text: &str, how: &str, expected: &str) {
        let mapping = orders(
            "delimiter = ';'",
            &format!("occurred_at = {{ column = 'at', {how} }}"),
            AMOUNT,
        );
        let file = format!("id;at;amount\n1;{text};1\n");
        match read(&mapping, &file).remove(0) {
            Ok(event) => assert_eq!(event.occurred_at.to_string(), expected),
            Err(error) => assert!(error.contains(expected), "{expected:?} not in {error:?}"),
        }
    }
    let berlin = |format: &str| format!("format = '{format}', zone = 'Europe/Berlin'");
    check(
        "31.01.2026 09:30",
        &berlin("%d.%m.%Y %H:%M"),
        "2026-01-31T08:30:00Z",
    );
    check("2026-07-01", &berlin("%Y-%m-%d"), "2026-06-30T22:00:00Z");
    // A change of clocks skips this time: it is read as one hour later.
    check(
        "2026-03-29 02:30",
        &berlin("%Y-%m-%d %H:%M"),
        "2026-03-29T01:30:00Z",
    );
    check(
        "2026-01-31 09:30 +0530",
        "format = '%Y-%m-%d %H:%M %z'",
        "2026-01-31T04:00:00Z",
    );
    check(
        "2026-01-31T09:30:00.123456+01:00",
        "format = 'rfc3339'",
        "2026-01-31T08:30:00.123456Z",
    );
    check(
        "1769851800",
        "format = 'unix_seconds'",
        "2026-01-31T09:30:00Z",
    );
    check(
        "1769851800123",
        "format = 'unix_milliseconds'",
        "2026-01-31T09:30:00.123Z",
    );
    check("31.02.2026 00:00", &berlin("%d.%m.%Y %H:%M"), "occurred_at");
    check("soon", "format = 'rfc3339'", "occurred_at: `soon`");
}

#[test]
fn attributes_are_converted_and_empty_ones_left_out() {
    let mapping = Mapping::parse(
        "[event]\ntenant_id = 'acme'\ncustomer_id = '{id}'\nsource = 'crm'\n\
         type = 'profile_updated'\noccurred_at = { column = 'at' }\n\
         [payload.attributes]\nemail = { column = 'mail' }\nscore = { column = 'score', as = \
         'number', decimal_separator = ',' }\nvip = { column = 'vip', as = 'boolean' }\n\
         plan = { column = 'plan', values = { p = 'pro', f = 'free' }, when_empty = 'null' }\n\
         column = 'a name like any other'",
    )
    .unwrap();
    let file = "id,at,mail,score,vip,plan\n1,2026-01-01T00:00:00Z,,\"2,5\",yes,\n\
                2,2026-01-01T00:00:00Z,a@b.example,1,no,x\n";
    let mut rows = read(&mapping, file);
    let second = rows.remove(1).unwrap_err();
    assert!(
        second.contains("line 3: payload.attributes.plan: `x`"),
        "{second}"
    );
    let first = rows.remove(0).unwrap().to_json();
    assert!(
        first.contains(
            r#""attributes":{"column":"a name like any other","plan":null,"score":2.5,"vip":true}"#
        ),
        "{first}"
    );
}

#[test]
fn bad_rows_are_reported_and_the_others_converted() {
    let mapping = orders("", AT, AMOUNT);
    let file = b"id,at,amount\n1,2026-01-01T00:00:00Z,5\n2,2026-01-01T00:00:00Z\n\
        \xff,2026-01-01T00:00:00Z,5\n,2026-01-01T00:00:00Z,5\n3,2026-01-01T00:00:00Z,6\n";
    let rows: Vec<_> = events(&mapping, &file[..]).unwrap().collect();
    let problems: Vec<String> = rows
        .iter()
        .filter_map(|row| row.as_ref().err().map(ToString::to_string))
        .collect();
    assert_eq!(rows.len() - problems.len(), 2);
    assert_eq!(problems[0], "line 3: 2 columns, not 3");
    assert_eq!(problems[1], "line 4: not valid UTF-8 (column 1)");
    assert!(
        problems[2].starts_with("line 5: customer_id: "),
        "{}",
        problems[2]
    );
}

#[test]
fn invalid_mappings_are_refused() {
    #[track_caller]
    fn check(mapping: Result<Mapping, InvalidMapping>, part: &str) {
        let error = match mapping {
            Ok(mapping) => events(&mapping, &b"id,at,amount\n"[..]).err().unwrap(),
            Err(error) => error,
        };
        assert!(error.0.contains(part), "{part:?} is not in {:?}", error.0);
    }
    check(
        Mapping::parse(&CDNOW.replace("source =", "sauce =")),
        "sauce",
    );
    check(
        Mapping::parse(&CDNOW.replace("columns =", "# columns =")),
        "`columns` must name",
    );
    check(
        Mapping::parse(
            &CDNOW
                .replace("'whitespace'", "'xml'")
                .replace("\"whitespace\"", "'xml'"),
        ),
        "xml",
    );
    check(
        Ok(orders("", AT, "x = '{amont}'")),
        "no column `amont`; did you mean `amount`?",
    );
    check(Ok(orders("", AT, "x = '{amount'")), "unbalanced brace");
    check(
        Ok(orders("", AT, "x = { column = 'amount', as = 'monie' }")),
        "payload.x",
    );
    check(
        Ok(orders("", AT, "x = { as = 'money' }")),
        "name a `column` or a `template`",
    );
    let zoneless = "occurred_at = { column = 'at', format = '%Y-%m-%d' }";
    check(Ok(orders("", zoneless, AMOUNT)), "`zone` must name");
    let lost = "occurred_at = { column = 'at', format = '%Y', zone = 'Mars/Olympus' }";
    check(
        Ok(orders("", lost, AMOUNT)),
        "no time zone is `Mars/Olympus`",
    );
}

mod files;
