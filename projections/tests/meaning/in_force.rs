//! The definitions in force: records of unknown formats, and what is restored from tables.

use tidemark_projections::definitions::{
    Bundle, Definitions, NEWEST_FORMAT, NotApplied, Rejected, TenantDefinitions, UnknownFormat,
};
use tidemark_schemas::{EventId, Instant, TenantId};
use uuid::Uuid;

use crate::definitions::{JOURNEY, TENANT, applied, bundle};

#[test]
fn record_of_an_unknown_format_is_neither_applied_nor_rejected() {
    let first = applied(&Definitions::default(), 5, &bundle(TENANT)).unwrap();
    let newer = NEWEST_FORMAT + 1;
    let record = |based_on: i64| {
        format!(
            r#"{{"format": {newer}, "based_on": {based_on}, "writer": "7.1.0", "loops": [{{}}]}}"#
        )
    };
    // Based on the newest version, only a version that knows its format can tell.
    let unknown = first.apply(6, Instant::MIN, record(5).as_bytes());
    let Err(NotApplied::UnknownFormat(unknown)) = unknown else {
        panic!("{unknown:?}");
    };
    assert_eq!((unknown.version, unknown.format), (6, newer));
    let said = unknown.to_string();
    assert!(said.contains("run tidemark 7.1.0 or newer"), "{said}");
    assert_eq!(
        UnknownFormat::of_record(6, record(5).as_bytes()),
        Some(unknown)
    );
    // Based on another, it is a conflict in every format.
    let conflict = first.apply(6, Instant::MIN, record(4).as_bytes());
    assert!(matches!(
        conflict,
        Err(NotApplied::Rejected(Rejected::Conflict { .. }))
    ));
}

#[test]
fn bundles_have_the_oldest_format_that_holds_them() {
    let plain = bundle(TENANT);
    assert_eq!((plain.format, &plain.writer), (1, &None));
    let placeholders = TENANT.replace(" }", ", placeholder_ids: [guest] }");
    let newer = bundle(&placeholders);
    assert_eq!(newer.format, 2);
    assert_eq!(newer.writer.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    applied(&Definitions::default(), 0, &newer).unwrap();
    // Under format 1 its content was never valid.
    for older in [
        Bundle {
            format: 1,
            ..newer.clone()
        },
        Bundle {
            format: 1,
            writer: None,
            ..newer
        },
    ] {
        let rejected = applied(&Definitions::default(), 0, &older);
        assert!(matches!(
            rejected,
            Err(NotApplied::Rejected(Rejected::Invalid(_)))
        ));
    }
}

#[test]
fn restored_definitions_equal_those_that_were_kept() {
    // Given definitions of two tenants, one of them defined twice, and accepted late events
    let mut all = applied(&Definitions::default(), 0, &bundle(TENANT)).unwrap();
    let globex = "tenant: { id: globex, zone: UTC, currency: EUR }\n";
    let (acme, event) = (TenantId::new("acme").unwrap(), EventId(Uuid::from_u128(7)));
    let mut steps = [
        bundle(globex),
        Bundle::accepting_late(&acme, [event], "test"),
        bundle(&format!("{TENANT}{JOURNEY}")),
    ];
    let mut accepted = Vec::new();
    for (version, step) in (1..).zip(&mut steps) {
        step.based_on = all.version;
        let next = applied(&all, version, step).unwrap();
        accepted.extend(next.newly_accepted(&all));
        all = next;
    }
    assert_eq!(accepted, [(acme.clone(), event)]);
    // When what is in force is restored from data
    let tenants: Vec<_> = all
        .tenants
        .values()
        .map(|tenant| {
            let json = serde_json::to_string(&tenant.source).unwrap();
            TenantDefinitions::from_stored(1, &json, tenant.version, tenant.appended_at).unwrap()
        })
        .collect();
    let restored = Definitions::restore(all.version, tenants, accepted, []);
    // Then it is the same
    assert_eq!(restored.version, Some(3));
    assert_eq!(
        restored.versions().collect::<Vec<_>>(),
        all.versions().collect::<Vec<_>>()
    );
    assert_eq!(
        restored.sources().collect::<Vec<_>>(),
        all.sources().collect::<Vec<_>>()
    );
    assert!(restored.accepts_late(&acme, event));
    let newer = i32::try_from(NEWEST_FORMAT).unwrap() + 1;
    assert!(matches!(
        TenantDefinitions::from_stored(newer, "{}", 9, Instant::MIN),
        Err(NotApplied::UnknownFormat(_))
    ));
}

#[test]
fn renamed_tenant_keeps_the_version_under_which_its_customers_are_evaluated() {
    // Given a tenant with a journey
    let named = |name: &str, rest: &str| {
        let tenant = TENANT.replace(" }", &format!(", name: {name} }}"));
        bundle(&format!("{tenant}{rest}"))
    };
    let acme = TenantId::new("acme").unwrap();
    let first = applied(
        &Definitions::default(),
        0,
        &bundle(&format!("{TENANT}{JOURNEY}")),
    )
    .unwrap();
    let next = |before: &Definitions, version, mut bundle: Bundle| {
        bundle.based_on = before.version;
        let after = applied(before, version, &bundle).unwrap();
        let renamed: Vec<_> = after.renamed(before).map(|tenant| tenant.version).collect();
        (after, renamed)
    };
    let evaluated_as = |all: &Definitions| all.tenant(&acme).unwrap().version;
    // When it is renamed, renamed again, and loses its name, then its version stays
    let (second, renamed) = next(&first, 1, named("ACME", JOURNEY));
    assert_eq!(
        (second.version, evaluated_as(&second), renamed),
        (Some(1), 0, vec![0])
    );
    let (third, renamed) = next(&second, 2, named("ACME GmbH", JOURNEY));
    assert_eq!((evaluated_as(&third), renamed), (0, vec![0]));
    let name = |all: &Definitions| all.tenant(&acme).unwrap().source.tenant.name.clone();
    assert_eq!(name(&third).as_deref(), Some("ACME GmbH"));
    let (fourth, renamed) = next(&third, 3, bundle(&format!("{TENANT}{JOURNEY}")));
    assert_eq!(
        (evaluated_as(&fourth), renamed, name(&fourth)),
        (0, vec![0], None)
    );
    // And when anything else differs, or nothing, it is a new version
    let (other, renamed) = next(&fourth, 4, named("ACME", ""));
    assert_eq!((evaluated_as(&other), renamed), (4, vec![]));
    let (same, renamed) = next(&other, 5, named("ACME", ""));
    assert_eq!((evaluated_as(&same), renamed), (5, vec![]));
}

#[test]
fn names_of_tenants_are_short_and_printable() {
    for (name, is_valid) in [
        ("ACME GmbH", true),
        ("株式会社アクメ", true),
        ("''", false),
        ("' ACME'", false),
        ("\"a\\nb\"", false),
        (&"x".repeat(201), false),
        ("17", false),
    ] {
        let file = TENANT.replace(" }", &format!(", name: {name} }}"));
        let read = Bundle::from_files(&[("test.yaml".to_owned(), file)], "test");
        assert_eq!(read.is_ok(), is_valid, "{name}: {read:?}");
    }
}

/// Returns the definitions after one more bundle, appended at a second.
fn after(
    before: &Definitions,
    version: i64,
    mut bundle: Bundle,
) -> Result<Definitions, NotApplied> {
    bundle.based_on = before.version;
    let appended_at = Instant::from_millis_clamped(version * 1_000);
    before.apply(version, appended_at, &bundle.to_record())
}

#[test]
fn offboarded_tenant_is_not_defined_and_begins_empty_when_defined_again() {
    // Given a tenant with an accepted late event
    let (acme, event) = (TenantId::new("acme").unwrap(), EventId(Uuid::from_u128(7)));
    let first = after(&Definitions::default(), 1, bundle(TENANT)).unwrap();
    let accepting = Bundle::accepting_late(&acme, [event], "test");
    let second = after(&first, 2, accepting).unwrap();
    // When it is offboarded
    let leaving = Bundle::offboarding(&acme, "the contract has ended", "test");
    assert_eq!((leaving.format, leaving.author.as_str()), (3, "test"));
    let third = after(&second, 3, leaving.clone()).unwrap();
    // Then it is not defined, and nothing of it is left but when it was offboarded
    assert!(third.tenant(&acme).is_none());
    assert!(!third.accepts_late(&acme, event));
    assert_eq!(third.offboarded_after(2).collect::<Vec<_>>(), [&acme]);
    assert_eq!(
        (third.next_offboarding(2), third.next_offboarding(3)),
        (Some(3), None)
    );
    let at = |second: i64| Instant::from_millis_clamped(second * 1_000);
    assert!(third.is_offboarded(&acme, at(3)) && !third.is_offboarded(&acme, at(4)));
    // And it can be defined again, with another zone, and offboarded again
    let zone = TENANT.replace("Europe/Berlin", "UTC");
    assert_ne!(zone, TENANT, "another zone");
    let fourth = after(&third, 4, bundle(&zone)).unwrap();
    assert_eq!(fourth.tenant(&acme).unwrap().version, 4);
    assert!(fourth.is_offboarded(&acme, at(3)) && !fourth.accepts_late(&acme, event));
    let fifth = after(&fourth, 5, leaving).unwrap();
    assert_eq!(fifth.next_offboarding(-1), Some(5));
    assert!(fifth.is_offboarded(&acme, at(5)));
}

#[test]
fn offboarding_names_a_defined_tenant_and_a_reason() {
    let acme = TenantId::new("acme").unwrap();
    let defined = after(&Definitions::default(), 1, bundle(TENANT)).unwrap();
    let long = "x".repeat(1_001);
    for (tenant, reason, is_valid) in [
        ("acme", "the contract has ended", true),
        ("globex", "not defined", false),
        ("acme", " ", false),
        ("acme", "a\nb", false),
        ("acme", long.as_str(), false),
    ] {
        let leaving = Bundle::offboarding(&TenantId::new(tenant).unwrap(), reason, "test");
        let applied = after(&defined, 2, leaving);
        assert_eq!(applied.is_ok(), is_valid, "{tenant}: {reason}");
    }
    // A tenant is not defined and offboarded at once, and nothing of an offboarded one is accepted.
    let leaving = || Bundle::offboarding(&acme, "the contract has ended", "test");
    let mut both = leaving();
    both.tenants = bundle(TENANT).tenants;
    let mut accepting = leaving();
    accepting.accepted_late =
        Bundle::accepting_late(&acme, [EventId(Uuid::from_u128(7))], "test").accepted_late;
    let mut older = leaving();
    older.format = 1;
    older.writer = None;
    for wrong in [both, accepting, older] {
        let applied = after(&defined, 2, wrong);
        assert!(
            matches!(applied, Err(NotApplied::Rejected(Rejected::Invalid(_)))),
            "{applied:?}"
        );
    }
}
