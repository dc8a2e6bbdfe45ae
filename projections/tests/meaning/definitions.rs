//! Definition files and records: what is accepted, and what is said about what is not.

use std::fmt::Write;

use tidemark_projections::definitions::{
    Bundle, Definitions, MAX_BUNDLE_BYTES, NotApplied, Rejected, TenantDefinitions,
};
use tidemark_schemas::{EventId, Instant, TenantId};
use uuid::Uuid;

pub(crate) const TENANT: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";

pub(crate) fn bundle(text: &str) -> Bundle {
    Bundle::from_files(&[("d.yaml".to_owned(), text.to_owned())], "test").unwrap()
}

/// The errors of one file, each as `line:column message`.
pub(crate) fn errors(text: &str) -> Vec<String> {
    let files = [("d.yaml".to_owned(), text.to_owned())];
    let errors = Bundle::from_files(&files, "test").expect_err("must be refused");
    errors
        .into_iter()
        .map(|error| {
            assert_eq!(error.file, "d.yaml");
            format!("{}:{} {}", error.line, error.column, error.message)
        })
        .collect()
}

pub(crate) const JOURNEY: &str =
    "journeys:\n  - name: sales\n    stages: [lead, trial, customer]\n";

pub(crate) fn applied(
    definitions: &Definitions,
    version: i64,
    bundle: &Bundle,
) -> Result<Definitions, NotApplied> {
    definitions.apply(
        version,
        Instant::from_micros(1).unwrap(),
        &bundle.to_record(),
    )
}

#[test]
fn every_mistake_is_reported_with_its_position() {
    let text = "\
tenant:
  id: acme
  zone: Europe/Berln
  curency: EUR
  churn: { model: mbgnbd, high: 1.5 }
segments:
  - name: At Risk
    when: { orders: { count: { greater: 3 } } }
  - name: b
    when: { any: [ { segment: c }, { churn: { band: hi } } ] }
";
    let errors = errors(text);
    let expected = [
        ("2:3", "a tenant lacks \"currency\""),
        (
            "3:9",
            "unknown time zone \"Europe/Berln\": did you mean \"Europe/Berlin\"?",
        ),
        (
            "4:3",
            "unknown key of a tenant \"curency\": did you mean \"currency\"?",
        ),
        (
            "5:19",
            "unknown model \"mbgnbd\": did you mean \"mbg_nbd\"?",
        ),
        (
            "5:33",
            "expected a risk between 0 and 1, found the number 1.5",
        ),
        ("7:11", "\"At Risk\" cannot name a segment"),
        ("8:32", "unknown operator of count \"greater\""),
        ("10:31", "unknown segment \"c\""),
        ("10:53", "unknown band \"hi\": did you mean \"high\"?"),
    ];
    for (place, message) in expected {
        assert!(
            errors
                .iter()
                .any(|error| error.starts_with(place) && error.contains(message)),
            "nothing at {place} says {message}: {errors:#?}"
        );
    }
}

#[test]
fn a_syntax_error_is_reported_with_its_position() {
    let errors = errors("tenant:\n  id: [acme\n");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with('2') || errors[0].starts_with('3'),
        "{errors:?}"
    );
    let twice = self::errors("tenant: acme\nsegments: []\nsegments: []\n");
    assert!(
        twice[0].starts_with("3:1 ") && twice[0].contains("segments"),
        "{twice:?}"
    );
}

#[test]
fn segment_cycles_are_reported() {
    let segment = |name: &str, other: &str| {
        format!("  - name: {name}\n    when: {{ not: {{ segment: {other} }} }}\n")
    };
    let text = format!(
        "{TENANT}segments:\n{}{}{}{}{}",
        segment("a", "b"),
        segment("b", "c"),
        segment("c", "a"),
        segment("d", "a"),
        segment("e", "e"),
    );
    let errors = errors(&text);
    assert_eq!(
        errors,
        [
            "3:11 segments refer to each other in a cycle: a → b → c → a",
            "11:11 segments refer to each other in a cycle: e → e",
        ]
    );
}

#[test]
fn segments_are_sorted_in_evaluation_order() {
    let text = format!(
        "{TENANT}segments:\n  - name: first\n    when: {{ segment: last }}\n  - name: last\n    \
         when: {{ orders: {{ count: {{ gte: 1 }} }} }}\n"
    );
    let definitions = applied(&Definitions::default(), 0, &bundle(&text)).unwrap();
    let tenant = definitions.tenant(&TenantId::new("acme").unwrap()).unwrap();
    let names: Vec<&str> = tenant
        .segments
        .iter()
        .map(|segment| &*segment.name)
        .collect();
    assert_eq!(names, ["last", "first"]);
}

#[test]
fn a_tenant_may_span_several_files() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let segment = |name: &str| {
        format!(
            "tenant: acme\nsegments:\n  - name: {name}\n    when: {{ churn: {{ band: low }} }}\n"
        )
    };
    let files = [
        file("a.yaml", &segment("a")),
        file("t.yaml", &format!("{TENANT}---\n{}", segment("b"))),
        file(
            "c.json",
            r#"{"tenant": {"id": "other", "zone": "UTC", "currency": "JPY"}}"#,
        ),
    ];
    let bundle = Bundle::from_files(&files, "test").unwrap();
    let tenants: Vec<_> = bundle
        .tenants
        .iter()
        .map(|source| source.tenant.id.as_str())
        .collect();
    assert_eq!(tenants, ["acme", "other"]);
    assert_eq!(bundle.tenants[0].segments.len(), 2);

    let clash = [
        files[0].clone(),
        files[1].clone(),
        file("d.yaml", &segment("a")),
    ];
    let errors = Bundle::from_files(&clash, "test").unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "d.yaml:3:11: segment \"a\" stands twice: first at a.yaml:3:11"
    );
    let errors = Bundle::from_files(&files[..1], "test").unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .starts_with("a.yaml:1:9: no document defines tenant acme")
    );
    let twice = [files[1].clone(), files[1].clone()];
    let errors = Bundle::from_files(&twice, "test").unwrap_err();
    assert!(
        errors
            .iter()
            .any(|error| error.message.contains("the tenant stands twice"))
    );
}

#[test]
fn shown_definitions_can_be_applied() {
    let text = format!(
        "tenant:\n  id: acme\n  zone: Europe/Berlin\n  currency: EUR\n  dedup_horizon: 2d\n  \
         rates: {{ USD: 0.92, JPY: \"0.0061\" }}\n  attributes: {{ email: {{ personal: true }} }}\n  \
         churn: {{ model: bg_nbd, medium: 0.3 }}\nsegments:\n  - name: s\n    description: 'yes: \
         no'\n    when: {{ attribute: {{ name: country, in: [no, \"1.0\", 1.0, true, \"null\"] }} \
         }}\n{JOURNEY}"
    );
    let first = bundle(&text);
    let source = &first.tenants[0];
    assert_eq!(
        &bundle(&source.to_yaml()).tenants[0],
        source,
        "{}",
        source.to_yaml()
    );
    assert_eq!(&bundle(&source.to_json()).tenants[0], source);
    let definitions = applied(&Definitions::default(), 3, &first).unwrap();
    let (_, applied) = definitions.sources().next().unwrap();
    assert_eq!(applied, source);
    let again = TenantDefinitions::from_source(source.clone(), 3, Instant::MIN).unwrap();
    assert!(again.is_personal("email"));
    assert!(!again.is_personal("plan"));
    assert_eq!(again.rules.dedup_horizon_micros, 2 * 86_400 * 1_000_000);
    assert_eq!(again.churn.name, "bg_nbd/shipped-cdnow");
}

#[test]
fn bundles_apply_only_on_the_version_they_are_based_on() {
    let mut bundle = bundle(TENANT);
    let none = Definitions::default();
    let first = applied(&none, 5, &bundle).unwrap();
    assert_eq!(first.version, Some(5));
    let conflict = applied(&first, 6, &bundle).unwrap_err();
    assert_eq!(
        conflict,
        NotApplied::Rejected(Rejected::Conflict {
            based_on: None,
            newest: Some(5)
        })
    );
    bundle.based_on = Some(5);
    assert!(matches!(
        applied(&none, 6, &bundle),
        Err(NotApplied::Rejected(Rejected::Conflict { .. }))
    ));
    let second = applied(&first, 6, &bundle).unwrap();
    let id = TenantId::new("acme").unwrap();
    assert_eq!(second.tenant(&id).unwrap().version, 6);

    for (replacement, field) in [
        ("zone: Europe/Paris", "zone"),
        ("zone: Europe/Berlin, dedup_horizon: 8d", "dedup_horizon"),
    ] {
        let text = TENANT.replace("zone: Europe/Berlin", replacement);
        let mut other = self::bundle(&text);
        other.based_on = Some(6);
        let rejected = applied(&second, 7, &other).unwrap_err();
        assert_eq!(
            rejected,
            NotApplied::Rejected(Rejected::Fixed {
                tenant: id.clone(),
                field
            })
        );
    }
    let text = TENANT.replace(
        "zone: Europe/Berlin",
        "zone: Europe/Berlin, dedup_horizon: 7d",
    );
    let mut same = self::bundle(&text);
    same.based_on = Some(6);
    applied(&second, 7, &same).unwrap();
}

#[test]
fn records_are_validated_like_files() {
    let good = String::from_utf8(bundle(TENANT).to_record()).unwrap();
    let check = |record: &str, expected: &str| {
        let rejected = Definitions::default().apply(0, Instant::MIN, record.as_bytes());
        let Err(NotApplied::Rejected(Rejected::Invalid(reason))) = rejected else {
            panic!("{record} gave {rejected:?}");
        };
        assert!(reason.contains(expected), "{reason} lacks {expected}");
    };
    check("", "EOF");
    check("\u{0}", "expected value");
    check(
        &good.replace("\"format\":1", "\"format\":0"),
        "format 0 does not exist",
    );
    check(
        &good.replace("Europe/Berlin", "Mars/Olympus"),
        "tenant.zone: unknown time zone",
    );
    check(
        &good.replace("EUR", "EUX"),
        "tenant.currency: unknown currency",
    );
    check(&good.replace("\"zone\"", "\"zoen\""), "unknown field");
    check(
        &good.replace("\"acme\"", "\"a/b\""),
        "tenant.id: the id of a tenant contains a '/'",
    );
    check(&good.replace("\"test\"", "\"a\\nb\""), "author");
    check(&" ".repeat(MAX_BUNDLE_BYTES + 1), "bytes are more than");
    let mut twice = bundle(TENANT);
    twice.tenants.push(twice.tenants[0].clone());
    check(
        &String::from_utf8(twice.to_record()).unwrap(),
        "tenant acme stands twice",
    );
    twice.tenants.clear();
    check(
        &String::from_utf8(twice.to_record()).unwrap(),
        "defines no tenant",
    );
    let condition = "{ any: [{ churn: { band: low } }] }";
    let nested = bundle(&format!(
        "{TENANT}segments: [{{ name: s, when: {condition} }}]"
    ));
    let record = String::from_utf8(nested.to_record())
        .unwrap()
        .replace("\"churn\"", "\"nope\"");
    check(&record, "segments[0].when.any[0].nope: unknown condition");
}

#[test]
fn a_bundle_too_large_for_a_record_is_refused() {
    let mut text = TENANT.to_owned();
    text.push_str("segments:\n");
    for index in 0..500 {
        let values = vec!["\"0123456789012345678901234567890123456789\""; 60].join(", ");
        writeln!(
            text,
            "  - name: s{index}\n    when: {{ attribute: {{ name: x, in: [{values}] }} }}"
        )
        .unwrap();
    }
    let errors = errors(&text);
    assert!(errors[0].contains("more than 1048576"), "{errors:?}");
    assert!(self::errors(&format!("{text}  - name: x\n"))[0].contains("more than 500"));
}

#[test]
fn accepted_late_events_accumulate_across_bundles() {
    let id = |number| EventId(Uuid::from_u128(number));
    let acme = TenantId::new("acme").unwrap();
    let apply = |definitions: &Definitions, version, mut bundle: Bundle| {
        bundle.based_on = definitions.version;
        definitions.apply(version, Instant::MIN, &bundle.to_record())
    };
    let accepting = |tenant: &TenantId, ids: &[EventId]| {
        Bundle::accepting_late(tenant, ids.iter().copied(), "test")
    };
    let text = "tenant: { id: acme, zone: UTC, currency: EUR }";
    let defined = apply(&Definitions::default(), 0, bundle(text)).unwrap();
    let one = apply(&defined, 1, accepting(&acme, &[id(1)])).unwrap();
    let both = apply(&one, 2, accepting(&acme, &[id(1), id(2)])).unwrap();
    let applied = apply(&both, 3, bundle(text)).unwrap();
    for number in [1, 2] {
        assert!(applied.accepts_late(&acme, id(number)));
    }
    assert!(!applied.accepts_late(&acme, id(3)));
    assert_eq!(one.accepted_late().collect::<Vec<_>>(), [(&acme, 1)]);
    assert_eq!(
        one.tenant(&acme).unwrap().version,
        0,
        "no customer is re-evaluated"
    );

    let other = TenantId::new("other").unwrap();
    let refused = apply(&defined, 1, accepting(&other, &[id(1)])).unwrap_err();
    assert!(refused.to_string().contains("tenant other is not defined"));
    let mut nonsense = accepting(&acme, &[]);
    nonsense
        .accepted_late
        .insert("acme".to_owned(), ["x".to_owned()].into());
    let refused = apply(&defined, 1, nonsense).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("\"x\" is not the id of an event")
    );
}
