//! Every example of the manual is a valid definition, and every operator has one.

use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_schemas::Instant;

const MANUAL: &str = include_str!("../../../docs/definitions.md");

/// The fenced YAML blocks, each with the line it begins on.
fn blocks() -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (line, text) in (1..).zip(MANUAL.lines()) {
        match &mut open {
            None if text.trim() == "```yaml" => open = Some((line, String::new())),
            Some(_) if text.trim() == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(text);
                block.push('\n');
            }
            None => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The example as a whole file: conditions and lists of them need a tenant around them.
fn as_file(block: &str) -> String {
    if block.contains("tenant:") {
        return block.to_owned();
    }
    let conditions: Vec<String> = block
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .enumerate()
        .map(|(index, line)| format!("  - {{ name: s{index}, when: {{ {line} }} }}\n"))
        .collect();
    format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR }}\njourneys:\n  - {{ name: \
         sales, stages: [lead, trial, customer] }}\nsegments:\n  - {{ name: regulars, when: {{ \
         orders: {{ count: {{ gte: 3 }} }} }} }}\n{}",
        conditions.concat()
    )
}

/// Every example of the manual, as a file.
pub(crate) fn files() -> Vec<String> {
    blocks()
        .into_iter()
        .map(|(_, block)| as_file(&block))
        .collect()
}

#[test]
fn every_example_is_valid() {
    let blocks = blocks();
    assert!(blocks.len() >= 7, "{} examples", blocks.len());
    for (line, block) in blocks {
        let file = as_file(&block);
        let bundle = Bundle::from_files(&[("example".to_owned(), file.clone())], "manual");
        let bundle = bundle.unwrap_or_else(|errors| {
            panic!("the example at line {line} is refused: {errors:#?}\n{file}")
        });
        Definitions::default()
            .apply(0, Instant::MIN, &bundle.to_record())
            .unwrap();
    }
}

const OPERATORS: &[&str] = &[
    "all:",
    "any:",
    "not:",
    "segment:",
    "attribute:",
    "event:",
    "where:",
    "never:",
    "first_time:",
    "last:",
    "not_within:",
    "orders:",
    "stage:",
    "churn:",
    "subscription:",
    "status:",
    "plan:",
    "mrr:",
    "total_mrr:",
    "started:",
    "changed:",
    "match:",
    "ticket:",
    "priority:",
    "opened:",
    "campaign:",
    "channel:",
    "cost:",
    "offer:",
    "action:",
    "answer:",
    "offered:",
    "answered:",
    "consent:",
    "purpose:",
    "granted:",
    "conversation:",
    "agent:",
    "direction:",
    "intent:",
    "outcome:",
    "sentiment:",
    "response_time:",
    "sequence:",
    "steps:",
    "in:",
    "regularly:",
    "at_least:",
    "of:",
    "period:",
    "stopped:",
    "restarted:",
    "member_for:",
    "for:",
    "bucket:",
    "salt:",
    "share:",
    "manual:",
    "eq:",
    "ne:",
    "gt:",
    "gte:",
    "lt:",
    "lte:",
    "between:",
    "in:",
    "not_in:",
    "contains:",
    "starts_with:",
    "ends_with:",
    "matches:",
    "exists:",
    "missing:",
    "before:",
    "after:",
    "within_last:",
    "has_been_for:",
    "count:",
    "revenue:",
    "average:",
    "within:",
    "journey:",
    "is:",
    "reached:",
    "in_for:",
    "band:",
    "risk:",
    "p_alive:",
    "rfm:",
    "recency:",
    "frequency:",
    "monetary:",
    "cluster:",
    "value:",
    "purchases:",
    "percentile:",
    "conversion:",
    "next:",
    "probability:",
    "amount:",
    "zone:",
    "currency:",
    "dedup_horizon:",
    "name:",
    "placeholder_ids:",
    "max_customer_kib:",
    "rates:",
    "attributes:",
    "personal:",
    "commission:",
    "attribution:",
    "window:",
    "model:",
    "medium:",
    "high:",
    "renewal:",
    "description:",
    "stages:",
    "actions:",
    "eligible:",
    "triggers:",
    "on:",
    "entered:",
    "left:",
    "on_definition:",
    "renewal_band:",
];

#[test]
fn every_operator_has_an_example() {
    let examples: String = blocks().into_iter().map(|(_, block)| block).collect();
    for word in OPERATORS {
        assert!(examples.contains(word), "no example of `{word}`");
    }
}
