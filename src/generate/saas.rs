//! A customer of a help desk that is sold by subscription.

use std::sync::Arc;

use tidemark_schemas::event::{Channel, Outcome, SubscriptionStatus};
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::Behaviour;
use super::people::Person;
use super::random::Random;
use super::visit::{Conversation, Visit, text};

const CURRENCY: &str = "EUR";
const JOURNEY: &str = "adoption";
const FEATURES: [&str; 6] = [
    "inbox",
    "macros",
    "reports",
    "automation",
    "chat_widget",
    "api",
];
const AGENTS: [&str; 2] = ["jonas", "mira"];
/// A month's price of one seat, in cents.
const SEAT_MINOR: i64 = 2_900;
/// Days between two invoices.
const INVOICE_DAYS: i64 = 30;
const DAY_MICROS: i64 = 86_400_000_000;

/// How far the account has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Trial,
    Activated,
    Paying { invoiced_at: Instant },
    Gone,
}

/// Tries, may stay and pay by the month, may grow, may leave.
#[derive(Debug)]
pub(super) struct Account {
    person: Person,
    company: String,
    country: &'static str,
    seats: i64,
    /// Days between visits, on average.
    rhythm: f64,
    subscription: Option<Arc<str>>,
    standing: Standing,
    visits: u32,
}

impl Account {
    pub(super) fn new(random: &mut Random) -> Self {
        let person = Person::new(random);
        let family = person.name.rsplit(' ').next().unwrap_or_default();
        let kind = random.pick(&[
            "Logistics",
            "Studio",
            "Health",
            "Robotics",
            "Foods",
            "Travel",
        ]);
        Self {
            company: format!("{family} {kind}"),
            person,
            country: random.pick(&["de", "de", "de", "at", "ch", "nl", "fr"]),
            seats: random.amount(5.0, 0.9).min(400),
            rhythm: random.log_normal(4.5, 0.5),
            subscription: None,
            standing: Standing::Trial,
            visits: 0,
        }
    }

    fn plan(&self) -> &'static str {
        match (self.standing, self.seats) {
            (Standing::Trial | Standing::Activated, _) => "trial",
            (Standing::Gone, _) => "none",
            (Standing::Paying { .. }, 25..) => "business",
            (Standing::Paying { .. }, _) => "team",
        }
    }

    fn subscription_is(&mut self, visit: &mut Visit<'_>, status: SubscriptionStatus) {
        let id = self.subscription.get_or_insert_with(|| visit.new_id("sub"));
        let id = Arc::clone(id);
        let mrr = match status {
            SubscriptionStatus::Active | SubscriptionStatus::PastDue => self.seats * SEAT_MINOR,
            SubscriptionStatus::Trialing
            | SubscriptionStatus::Paused
            | SubscriptionStatus::Cancelled => 0,
        };
        visit.subscribes(&id, status, self.plan(), mrr, CURRENCY);
    }

    fn is_invoiced(&mut self, visit: &mut Visit<'_>) {
        let order_id = visit.new_id("invoice");
        visit.orders(
            &order_id,
            self.seats * SEAT_MINOR,
            CURRENCY,
            None,
            "invoice",
        );
        self.standing = Standing::Paying {
            invoiced_at: visit.now(),
        };
    }

    fn begins_to_pay(&mut self, visit: &mut Visit<'_>) {
        self.is_invoiced(visit);
        self.subscription_is(visit, SubscriptionStatus::Active);
        visit.profile(&[("plan", text(self.plan()))]);
        visit.stage(JOURNEY, "paying");
    }

    fn goes_on_paying(&mut self, visit: &mut Visit<'_>, invoiced_at: Instant) {
        if visit.now() > invoiced_at.plus_micros(INVOICE_DAYS * DAY_MICROS) {
            if visit.random.chance(0.04) {
                self.subscription_is(visit, SubscriptionStatus::PastDue);
                visit.wait(3_600, 20_000);
            }
            self.is_invoiced(visit);
        }
        if visit.random.chance(0.05) {
            self.seats += visit.random.between(1, 6);
            visit.profile(&[
                ("seats", AttributeValue::Long(self.seats)),
                ("plan", text(self.plan())),
            ]);
            self.subscription_is(visit, SubscriptionStatus::Active);
            visit.stage(JOURNEY, "expanded");
        } else if visit.random.chance(0.02) {
            self.leaves(visit);
        }
    }

    fn leaves(&mut self, visit: &mut Visit<'_>) {
        self.standing = Standing::Gone;
        self.subscription_is(visit, SubscriptionStatus::Cancelled);
        visit.profile(&[("plan", text(self.plan()))]);
    }

    fn asks_for_help(visit: &mut Visit<'_>) {
        let agent = visit.random.pick(&AGENTS);
        let mood = visit.random.unit() - 0.5;
        let channel = visit.random.pick(&[Channel::Chat, Channel::Email]);
        let intent = visit.random.pick(&["how_to", "bug", "billing"]);
        visit.talks(&Conversation {
            channel,
            agent,
            intent,
            mood,
            outcome: if mood < -0.3 {
                Outcome::Escalated
            } else {
                Outcome::Resolved
            },
        });
        if mood < -0.2 {
            let priority = visit.random.pick(&["normal", "high"]);
            visit.ticket(priority);
        }
    }
}

impl Behaviour for Account {
    fn source(&self) -> &'static str {
        "hubspot"
    }

    fn join(&mut self, visit: &mut Visit<'_>) {
        let campaign = visit
            .random
            .pick(&["webinar", "search", "search", "partner"]);
        let cost = visit.random.between(90, 900);
        visit.touched(campaign, "web", Some((cost, CURRENCY)));
        visit.profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("company", text(&self.company)),
            ("country", text(self.country)),
            ("seats", AttributeValue::Long(self.seats)),
            ("plan", text("trial")),
        ]);
        visit.stage(JOURNEY, "signup");
        self.subscription_is(visit, SubscriptionStatus::Trialing);
        visit.stage(JOURNEY, "trial");
        visit.does("feature_used", &[("feature", text("inbox"))]);
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        self.visits += 1;
        let device = visit.random.pick(&["web", "web", "mobile"]);
        visit.does("signed_in", &[("device", text(device))]);
        let now = text(visit.now().to_string());
        visit.profile(&[("last_login", now)]);
        for _ in 0..visit.random.between(0, 3) {
            let feature = visit.random.pick(&FEATURES);
            visit.does("feature_used", &[("feature", text(feature))]);
        }
        if visit.random.chance(0.07) {
            Self::asks_for_help(visit);
        }
        match self.standing {
            Standing::Trial if visit.random.chance(0.22) => {
                self.standing = Standing::Activated;
                visit.stage(JOURNEY, "activated");
            }
            Standing::Activated if visit.random.chance(0.3) => self.begins_to_pay(visit),
            Standing::Trial if self.visits > 8 => self.leaves(visit),
            Standing::Paying { invoiced_at } => self.goes_on_paying(visit, invoiced_at),
            Standing::Trial | Standing::Activated | Standing::Gone => {}
        }
    }

    fn pause_days(&mut self, random: &mut Random) -> Option<f64> {
        // Some just stop coming, without a word.
        let vanishes = random.chance(0.012);
        (self.standing != Standing::Gone && !vanishes).then(|| random.exponential(self.rhythm))
    }
}
