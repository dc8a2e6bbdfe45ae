//! A private client of a bank.

use tidemark_schemas::AttributeValue;
use tidemark_schemas::event::{Channel, Outcome};

use super::behaviour::Behaviour;
use super::people::Person;
use super::random::Random;
use super::visit::{Conversation, Visit, text};

const CURRENCY: &str = "CHF";
const ONBOARDING: [&str; 5] = [
    "application",
    "identity_check",
    "approved",
    "funded",
    "active",
];
const MORTGAGE: [&str; 4] = ["enquiry", "documents", "underwriting", "signed"];
const ADVISERS: [&str; 3] = ["beat", "celine", "luca"];
/// The stage of onboarding from which there is an account.
const FUNDED: usize = 3;

/// Opens an account, pays, saves and invests; some want a mortgage.
#[derive(Debug)]
pub(super) struct Client {
    person: Person,
    birthday: String,
    risk_profile: &'static str,
    marketing: bool,
    adviser: &'static str,
    /// In whole francs.
    balance: i64,
    invests: bool,
    /// Index in [`ONBOARDING`].
    onboarding: usize,
    /// Index in [`MORTGAGE`].
    mortgage: Option<usize>,
    /// Days between visits, on average.
    rhythm: f64,
    gone: bool,
}

impl Client {
    pub(super) fn new(random: &mut Random) -> Self {
        let (year, month, day) = (
            random.between(1945, 2006),
            random.between(1, 12),
            random.between(1, 28),
        );
        Self {
            person: Person::new(random),
            birthday: format!("{year}-{month:02}-{day:02}"),
            risk_profile: random.pick(&["cautious", "balanced", "balanced", "bold"]),
            marketing: random.chance(0.5),
            adviser: random.pick(&ADVISERS),
            balance: random.amount(24_000.0, 1.3),
            invests: random.chance(0.35),
            onboarding: 0,
            mortgage: None,
            rhythm: random.log_normal(6.0, 0.4),
            gone: false,
        }
    }

    fn opens_the_account(&mut self, visit: &mut Visit<'_>) {
        // The identity check is where many wait.
        let moves = if self.onboarding == 1 { 0.45 } else { 0.8 };
        if !visit.random.chance(moves) {
            self.gone |= visit.random.chance(0.12);
            return;
        }
        self.onboarding += 1;
        visit.stage("onboarding", ONBOARDING[self.onboarding]);
        if self.onboarding == 2 {
            let today = visit.today();
            visit.profile(&[("identity_checked_on", today)]);
        }
        if self.onboarding == FUNDED {
            visit.profile(&[("balance", AttributeValue::Long(self.balance))]);
        }
    }

    fn banks(&mut self, visit: &mut Visit<'_>) {
        for _ in 0..visit.random.between(1, 4) {
            let category = visit
                .random
                .pick(&["groceries", "travel", "rent", "health", "leisure"]);
            let amount = visit.random.amount(60.0, 0.9);
            visit.does(
                "card_paid",
                &[
                    ("category", text(category)),
                    ("amount", AttributeValue::Long(amount)),
                ],
            );
        }
        if visit.random.chance(0.15) {
            self.balance += visit
                .random
                .between(-self.balance / 10, self.balance / 8 + 500);
            visit.profile(&[("balance", AttributeValue::Long(self.balance))]);
        }
        if self.invests && visit.random.chance(0.2) {
            let order_id = visit.new_id("fund");
            let amount = visit.random.amount(120_000.0, 0.8);
            visit.orders(&order_id, amount, CURRENCY, None, "app");
        }
        if self.marketing && visit.random.chance(0.06) {
            let accepted = visit.random.chance(0.25);
            let action = visit
                .random
                .pick(&["credit_card", "savings_plan", "travel_insurance"]);
            visit.offered(action, accepted);
        }
        self.wants_a_home(visit);
    }

    fn wants_a_home(&mut self, visit: &mut Visit<'_>) {
        match self.mortgage {
            None if visit.random.chance(0.015) => self.mortgage = Some(0),
            Some(stage) if stage + 1 < MORTGAGE.len() && visit.random.chance(0.3) => {
                self.mortgage = Some(stage + 1);
            }
            None | Some(_) => return,
        }
        if let Some(stage) = self.mortgage {
            visit.stage("mortgage", MORTGAGE[stage]);
        }
    }

    fn talks_to_the_adviser(&self, visit: &mut Visit<'_>) {
        let mood = visit.random.unit() * 1.2 - 0.5;
        let channel = visit
            .random
            .pick(&[Channel::Call, Channel::Email, Channel::Chat]);
        let intent = visit
            .random
            .pick(&["fees", "card_blocked", "advice", "mortgage"]);
        visit.talks(&Conversation {
            channel,
            agent: self.adviser,
            intent,
            mood,
            outcome: if mood < -0.3 {
                Outcome::Escalated
            } else {
                Outcome::Resolved
            },
        });
        if mood < -0.35 {
            visit.ticket("high");
        }
    }
}

impl Behaviour for Client {
    fn source(&self) -> &'static str {
        "salesforce"
    }

    fn join(&mut self, visit: &mut Visit<'_>) {
        let campaign = visit
            .random
            .pick(&["branch", "search", "referral", "youth_account"]);
        let cost = visit.random.between(200, 2_000);
        visit.touched(campaign, "web", Some((cost, CURRENCY)));
        visit.profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("birthday", text(&self.birthday)),
            ("risk_profile", text(self.risk_profile)),
        ]);
        visit.consents("marketing", self.marketing);
        visit.profile(&[("marketing", AttributeValue::Boolean(self.marketing))]);
        visit.stage("onboarding", ONBOARDING[0]);
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        let device = visit.random.pick(&["app", "app", "web"]);
        visit.does("signed_in", &[("device", text(device))]);
        if self.onboarding + 1 < ONBOARDING.len() {
            self.opens_the_account(visit);
        }
        if self.onboarding >= FUNDED {
            self.banks(visit);
        }
        if visit.random.chance(0.06) {
            self.talks_to_the_adviser(visit);
        }
    }

    fn pause_days(&mut self, random: &mut Random) -> Option<f64> {
        self.gone |= random.chance(0.01);
        let rhythm = if self.onboarding < FUNDED {
            2.0
        } else {
            self.rhythm
        };
        (!self.gone).then(|| random.exponential(rhythm))
    }
}
