//! Commission and attribution in the `tenant:` block.

use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_schemas::Instant;

fn read(more: &str) -> Result<TenantDefinitions, String> {
    let yaml = format!("tenant: {{ id: acme, zone: UTC, currency: EUR{more} }}\n");
    let bundle = Bundle::from_files(&[("acme.yaml".to_owned(), yaml)], "a test");
    let mut bundle = bundle.map_err(|errors| errors[0].to_string())?;
    let source = bundle.tenants.remove(0);
    TenantDefinitions::from_source(source, 1, Instant::MIN).map_err(|error| error.to_string())
}

#[test]
fn commission_and_attribution_window_are_parsed() {
    let reports = |more: &str| {
        let read = read(more).unwrap();
        (read.commission_millionths, read.attribution_days)
    };
    assert_eq!(reports(""), (0, 30));
    assert_eq!(reports(", commission: 12.5%"), (125_000, 30));
    assert_eq!(reports(", commission: '100 %'"), (1_000_000, 30));
    assert_eq!(reports(", attribution: { window: 2w }"), (0, 14));
    assert_eq!(reports(", attribution: {}"), (0, 30));
}

#[test]
fn invalid_report_settings_are_refused() {
    for (more, says) in [
        (", commission: 12.5", "like 12.5%"),
        (", commission: '12.5'", "like 12.5%"),
        (", commission: 101%", "0% to 100%"),
        (", commission: -1%", "0% to 100%"),
        (", attribution: 30d", "attribution"),
        (", attribution: { window: 91d }", "1d to 90d"),
        (", attribution: { window: 12h }", "not in days"),
        (", attribution: { windw: 30d }", "window"),
    ] {
        let error = read(more).unwrap_err();
        assert!(error.contains(says), "{error} lacks {says}");
        assert!(error.starts_with("acme.yaml:1:"), "{error}");
    }
}
