//! Whether subscribers renew: trained by plan, and a band that falls with each renewal.

use jiff::civil::date;
use tidemark_projections::definitions::{Bundle, TenantDefinitions};
use tidemark_projections::models::Band;
use tidemark_projections::outputs::{evaluate, predict};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::event::SubscriptionChanged;
use tidemark_schemas::event::SubscriptionStatus::{self, Active, Cancelled, Trialing};
use tidemark_schemas::{Currency, CustomerId, Instant, Payload};

use crate::shop::{Customers, Log, SHOP, fold, train};

pub(crate) fn subscribed(
    shop: &TenantDefinitions,
    events: &mut u128,
    plan: &str,
    said: &[(&str, SubscriptionStatus)],
) -> CustomerState {
    let mut state = CustomerState::default();
    let id = events.to_string();
    for (on, status) in said {
        let payload = Payload::SubscriptionChanged(SubscriptionChanged {
            subscription_id: id.as_str().into(),
            status: *status,
            plan: plan.into(),
            mrr_minor: 1_900,
            currency: Currency::new("USD").unwrap(),
        });
        fold(&mut state, shop, events, on, payload);
    }
    state
}

fn thousand(shop: &TenantDefinitions, plan: &str, events: &mut u128) -> Customers {
    let survivors = [869, 743, 653, 593, 551, 517, 491];
    let mut customers = Customers::new();
    for number in 0..1_000 {
        let stayed = survivors.iter().filter(|left| number < **left).count();
        let stayed = u32::try_from(stayed).unwrap();
        let ended = date(2024, 1, 10).saturating_add(jiff::Span::new().months(stayed).days(20));
        let mut said = vec![("2024-01-10", Active)];
        let on = ended.to_string();
        if stayed < 7 {
            said.push((&on, Cancelled));
        }
        let state = subscribed(shop, events, plan, &said);
        let id = CustomerId::new(format!("{plan}-{number:04}")).unwrap();
        customers.push((id, state));
    }
    customers
}

#[test]
fn renewal_training_reproduces_published_values_by_plan() {
    let log = Log::defined_by(SHOP);
    let shop = log.shop();
    let mut events = 0;
    let mut customers = thousand(&shop, "pro", &mut events);
    let few = train(&shop, date(2024, 9, 1), &customers[..50]);
    assert_eq!(
        few.refused
            .iter()
            .find(|of| of.model == "renewal")
            .unwrap()
            .reason,
        "50 subscriptions were paid for; 100 are needed"
    );
    // Too few of a plan to speak for itself.
    customers.push((
        CustomerId::new("solo").unwrap(),
        subscribed(&shop, &mut events, "solo", &[("2024-01-10", Active)]),
    ));
    let report = train(&shop, date(2024, 9, 1), &customers);
    let renewal = report.models.renewal.clone().unwrap();
    let of = &renewal.model;
    assert_eq!(
        (renewal.customers, renewal.from),
        (1_001, date(2024, 1, 10))
    );
    let pro = of.plans["pro"];
    assert!(
        (pro.alpha - 0.668).abs() < 0.0005 && (pro.beta - 3.806).abs() < 0.0005,
        "{pro:?}"
    );
    assert_eq!(of.plans.len(), 1);
    assert_eq!(of.of_plan("solo"), of.all);
    // By the first five renewals the next two are foretold to a third.
    let (mut expected, mut seen) = (0.0, 0.0);
    for tenth in &of.holdout.calibration {
        expected += tenth.expected * tenth.customers as f64;
        seen += tenth.seen * tenth.customers as f64;
    }
    assert!((expected / seen - 1.0).abs() < 0.35, "{expected} {seen}");
    assert!(report.to_string().contains("renewal: alpha"));
}

#[test]
fn every_renewal_lowers_the_renewal_band() {
    let mut log = Log::defined_by(SHOP);
    let mut events = 0;
    let customers = thousand(&log.shop(), "pro", &mut events);
    log.publish(train(&log.shop(), date(2024, 9, 1), &customers).models);
    let shop = log.shop();
    let at = |on: &str| format!("{on}T00:00:00Z").parse::<Instant>().unwrap();
    let state = subscribed(&shop, &mut events, "pro", &[("2024-01-31", Active)]);
    let band = |on: &str| evaluate(&state, &shop, at(on)).discrete_scores.renewal;
    let said = predict(&state, &shop, at("2024-02-01")).renewal.unwrap();
    assert_eq!(said.model, "sbg/trained-2024-09-01");
    assert_eq!(said.score.renews_on, Some(date(2024, 2, 29)));
    assert!((said.score.risk - 0.668 / (0.668 + 3.806)).abs() < 0.001);
    assert_eq!(
        (said.score.band, band("2024-02-01")),
        (Band::High, Some(Band::High))
    );
    // 0.1 is passed with the third renewal, on the last of April; 0.05 with the ninth.
    assert_eq!(band("2024-04-29"), Some(Band::High));
    assert_eq!(band("2024-04-30"), Some(Band::Medium));
    assert_eq!(band("2024-10-30"), Some(Band::Medium));
    assert_eq!(band("2024-10-31"), Some(Band::Low));
    let due = evaluate(&state, &shop, at("2024-10-30")).next_change;
    assert_eq!(due, Some(at("2024-10-31")));
    assert_eq!(evaluate(&state, &shop, at("2024-10-31")).next_change, None);
    for said in [
        &[("2024-01-31", Trialing)][..],
        &[("2024-01-31", Active), ("2024-02-03", Cancelled)],
    ] {
        let state = subscribed(&shop, &mut events, "pro", said);
        assert_eq!(
            evaluate(&state, &shop, at("2024-03-01"))
                .discrete_scores
                .renewal,
            None
        );
    }
}

#[test]
fn invalid_renewal_bands_are_refused() {
    let check = |renewal: &str, expected: &str| {
        let text = format!(
            "tenant: {{ id: shop, zone: UTC, currency: USD, churn: {{ renewal: {renewal} }} }}"
        );
        let errors = Bundle::from_files(&[("f.yaml".to_owned(), text)], "me").unwrap_err();
        assert!(errors[0].message.contains(expected), "{errors:?}");
    };
    check("{ medium: 0.2 }", "medium (0.2) is not below high (0.1)");
    check("{ hihg: 0.2 }", "did you mean \"high\"?");
    check("{ high: 1 }", "a risk between 0 and 1");
}
