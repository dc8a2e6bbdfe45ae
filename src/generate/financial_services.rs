//! The behaviour of private clients of a bank.

mod market;

use tidemark_schemas::event::{Channel, Outcome};
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::market::Contact;
use super::people::Person;
use super::purchases::Buying;
use super::random::Random;
use super::talking::{self, Agent, Conversation};
use super::visit::{Visit, text};
use market::{ADVISERS, CURRENCY, MORTGAGE, ONBOARDING, PURCHASES};

pub(super) use market::MARKET;

/// A planned step of a client.
#[derive(Debug)]
enum Step {
    SignIn,
    Onboard(&'static str),
    WantHome,
    Borrow(&'static str),
    Invest,
    Talk,
    SeeCampaign,
    GetOffer,
}

/// A client that opens an account, pays, saves and invests; some apply for a mortgage.
#[derive(Debug)]
pub(super) struct Client {
    person: Person,
    birthday: String,
    risk_profile: &'static str,
    contact: Contact,
    adviser: Agent,
    /// The balance, in whole francs.
    balance: i64,
    invests: bool,
    funded: bool,
    buying: Option<Buying>,
    /// The mean number of days between visits.
    rhythm: f64,
    agenda: Agenda<Step>,
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
            contact: Contact::new(&MARKET, random.chance(0.6)),
            adviser: random.pick(&ADVISERS),
            balance: random.amount(24_000.0, 1.3),
            invests: random.chance(0.5),
            funded: false,
            buying: None,
            rhythm: random.log_normal(6.0, 0.4),
            agenda: Agenda::empty(),
        }
    }

    fn segment(&self) -> &'static str {
        match self.risk_profile {
            "cautious" => "cautious_clients",
            "bold" => "bold_clients",
            _ => "balanced_clients",
        }
    }

    fn onboard(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        let at = visit.enter_stage("onboarding", stage);
        self.agenda
            .plan_move(&ONBOARDING, (stage, at), Step::Onboard, visit);
        match stage {
            "approved" => {
                let today = visit.today();
                visit.update_profile(&[("identity_checked_on", today)]);
            }
            "funded" => {
                self.funded = true;
                visit.update_profile(&[("balance", AttributeValue::Long(self.balance))]);
                self.agenda.plan_after(250.0, Step::WantHome, visit);
            }
            "active" if self.invests => {
                self.agenda.plan_after(8.0, Step::Invest, visit);
            }
            _ => {}
        }
    }

    fn borrow(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        let at = visit.enter_stage("mortgage", stage);
        self.agenda
            .plan_move(&MORTGAGE, (stage, at), Step::Borrow, visit);
        if stage == "documents" {
            visit.track("document_uploaded", &[("kind", text("payslip"))]);
        }
    }

    fn buy_fund(&mut self, visit: &mut Visit<'_>) {
        let mut buying = match self.buying.take() {
            Some(buying) => buying,
            None => Buying::begin(&PURCHASES, visit.now(), visit.random),
        };
        let amount = buying.amount_minor(visit.random);
        let fund = visit.random.pick(&["world", "bonds", "small_caps"]);
        visit.track("fund_viewed", &[("fund", text(fund))]);
        let order_id = visit.new_id("fund");
        visit.place_order(&order_id, amount, CURRENCY, None, "app");
        if let Some(at) = buying.next(visit.random) {
            self.agenda.plan(visit.awake(at), Step::Invest);
        }
        self.buying = Some(buying);
    }

    fn pay_by_card(visit: &mut Visit<'_>) {
        for _ in 0..visit.random.between(1, 3) {
            let category = visit
                .random
                .pick(&["groceries", "travel", "rent", "health", "leisure"]);
            let amount = visit.random.amount(60.0, 0.9);
            visit.track(
                "card_paid",
                &[
                    ("category", text(category)),
                    ("amount", AttributeValue::Long(amount)),
                ],
            );
        }
    }

    fn sign_in(&mut self, visit: &mut Visit<'_>) {
        let device = visit.random.pick(&["app", "app", "web"]);
        visit.track("signed_in", &[("device", text(device))]);
        if self.funded {
            Self::pay_by_card(visit);
            if visit.random.chance(0.15) {
                self.balance += visit
                    .random
                    .between(-self.balance / 10, self.balance / 8 + 500);
                visit.update_profile(&[("balance", AttributeValue::Long(self.balance))]);
            }
        }
        // Some clients never fund the account and stop; some pause for a while.
        let returns = if self.funded { 1.0 } else { 0.93 };
        if visit.random.chance(returns) {
            let mut pause = visit.random.exponential(self.rhythm);
            if visit.random.chance(0.02) {
                pause += 30.0 + visit.random.exponential(45.0);
            }
            self.agenda.plan(visit.in_days(pause), Step::SignIn);
        }
    }

    fn talk(&mut self, visit: &mut Visit<'_>) {
        let (intent, mood) = visit.random.pick(&[
            ("fees", -0.35),
            ("card_blocked", -0.3),
            ("advice", 0.35),
            ("mortgage", 0.2),
        ]);
        let about = Conversation {
            channel: visit
                .random
                .pick(&[Channel::Call, Channel::Email, Channel::Chat]),
            agent: self.adviser,
            intent,
            mood,
            sells: intent == "advice",
        };
        if talking::talk(visit, &about) == Outcome::Escalated {
            let priority = if intent == "card_blocked" {
                "urgent"
            } else {
                "high"
            };
            talking::ticket(visit, priority);
        }
        self.agenda.plan_after(70.0, Step::Talk, visit);
    }

    fn meet_campaign(&mut self, visit: &mut Visit<'_>) {
        if self.contact.consents {
            self.contact.meet_campaign(visit);
        }
        self.contact.reconsider(visit);
        self.agenda.plan_after(35.0, Step::SeeCampaign, visit);
    }

    fn receive_offer(&mut self, visit: &mut Visit<'_>) {
        if self.funded && self.contact.consents {
            self.contact.receive_offer(visit, self.segment());
        }
        self.agenda.plan_after(45.0, Step::GetOffer, visit);
    }
}

impl Behaviour for Client {
    fn join(&mut self, visit: &mut Visit<'_>) {
        self.contact.acquire(visit);
        visit.update_profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("birthday", text(&self.birthday)),
            ("risk_profile", text(self.risk_profile)),
        ]);
        self.contact.publish_consent(visit);
        self.onboard(visit, "application");
        self.agenda.plan_each(
            [
                (1.0, Step::SignIn),
                (45.0, Step::Talk),
                (25.0, Step::SeeCampaign),
                (40.0, Step::GetOffer),
            ],
            visit,
        );
    }

    fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        match self.agenda.take() {
            Some(Step::SignIn) => self.sign_in(visit),
            Some(Step::Onboard(stage)) => self.onboard(visit, stage),
            Some(Step::WantHome) => self.borrow(visit, "enquiry"),
            Some(Step::Borrow(stage)) => self.borrow(visit, stage),
            Some(Step::Invest) => self.buy_fund(visit),
            Some(Step::Talk) => self.talk(visit),
            Some(Step::SeeCampaign) => self.meet_campaign(visit),
            Some(Step::GetOffer) => self.receive_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        visit.track("signed_in", &[("device", text("app"))]);
        if self.funded {
            Self::pay_by_card(visit);
        }
    }
}
