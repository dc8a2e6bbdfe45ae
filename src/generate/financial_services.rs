//! A private client of a bank. Who buys funds follows BG/NBD: nobody leaves after the first one.

use tidemark_projections::models::{Family, Parameters, SpendingModel};
use tidemark_schemas::event::{Channel, Outcome};
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::moves::{self, Hazard};
use super::offers::{self, Response};
use super::people::Person;
use super::purchases::{Buying, Purchases};
use super::random::Random;
use super::talking::{self, Agent, Conversation};
use super::truth::Truth;
use super::visit::{Visit, text};

const CURRENCY: &str = "CHF";
const ADVISERS: [Agent; 3] = [
    Agent::new("beat", 3_000.0, 0.0),
    Agent::new("celine", 700.0, 0.2),
    Agent::new("luca", 9_000.0, -0.1),
];
const PURCHASES: Purchases = Purchases {
    family: Family::BgNbd,
    parameters: Parameters {
        r: 1.2,
        alpha: 7.0,
        a: 0.7,
        b: 3.5,
    },
    spending: SpendingModel {
        p: 3.0,
        q: 5.0,
        v: 2_000.0,
    },
};
const ONBOARDING: [Hazard; 5] = [
    Hazard::new("application", "identity_check", [0.3, 0.08, 0.02, 0.003]),
    Hazard::new("identity_check", "approved", [0.16, 0.08, 0.02, 0.003]),
    Hazard::new("identity_check", "application", [0.05, 0.02, 0.005, 0.001]),
    Hazard::new("approved", "funded", [0.2, 0.06, 0.02, 0.003]),
    Hazard::new("funded", "active", [0.12, 0.05, 0.02, 0.004]),
];
const MORTGAGE: [Hazard; 5] = [
    Hazard::new("enquiry", "documents", [0.1, 0.05, 0.01, 0.001]),
    Hazard::new("documents", "underwriting", [0.07, 0.04, 0.015, 0.002]),
    Hazard::new("documents", "enquiry", [0.02, 0.01, 0.005, 0.002]),
    Hazard::new("underwriting", "signed", [0.04, 0.06, 0.03, 0.01]),
    Hazard::new("underwriting", "documents", [0.03, 0.02, 0.01, 0.005]),
];
const RESPONSES: [Response; 9] = [
    Response::new("credit_card", "cautious_clients", 0.12),
    Response::new("credit_card", "balanced_clients", 0.2),
    Response::new("credit_card", "bold_clients", 0.33),
    Response::new("savings_plan", "cautious_clients", 0.41),
    Response::new("savings_plan", "balanced_clients", 0.27),
    Response::new("savings_plan", "bold_clients", 0.1),
    Response::new("portfolio_review", "cautious_clients", 0.09),
    Response::new("portfolio_review", "balanced_clients", 0.22),
    Response::new("portfolio_review", "bold_clients", 0.38),
];
/// Campaign, channel, and what a touch costs in hundredths of a franc.
const CAMPAIGNS: [(&str, &str, i64); 3] = [
    ("market_letter", "email", 2),
    ("pension_evening", "post", 240),
    ("branch_talk", "branch", 1_900),
];

/// What a client is going to do.
#[derive(Debug)]
enum Deed {
    SignIn,
    Onboard(&'static str),
    WantHome,
    Borrow(&'static str),
    Invest,
    Talk,
    SeeCampaign,
    GetOffer,
}

/// Opens an account, pays, saves and invests; some want a mortgage.
#[derive(Debug)]
pub(super) struct Client {
    person: Person,
    birthday: String,
    risk_profile: &'static str,
    marketing: bool,
    adviser: Agent,
    /// In whole francs.
    balance: i64,
    invests: bool,
    funded: bool,
    buying: Option<Buying>,
    /// Days between visits, on average.
    rhythm: f64,
    agenda: Agenda<Deed>,
}

/// What they are made with.
pub(super) fn truth() -> Truth {
    let journeys: [(&str, &[Hazard]); 2] = [("onboarding", &ONBOARDING), ("mortgage", &MORTGAGE)];
    Truth::of(Some(&PURCHASES), &[], &journeys, &RESPONSES)
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
            marketing: random.chance(0.6),
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

    fn onboards(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        let at = visit.stage("onboarding", stage);
        let ahead = visit.hours_ahead;
        let next = moves::leaves(&ONBOARDING, stage, at, ahead, visit.random);
        if let Some((at, next)) = next {
            self.agenda.plan(at, Deed::Onboard(next));
        }
        match stage {
            "approved" => {
                let today = visit.today();
                visit.profile(&[("identity_checked_on", today)]);
            }
            "funded" => {
                self.funded = true;
                visit.profile(&[("balance", AttributeValue::Long(self.balance))]);
                let pause = visit.random.exponential(250.0);
                self.agenda.plan(visit.in_days(pause), Deed::WantHome);
            }
            "active" if self.invests => {
                let pause = visit.random.exponential(8.0);
                self.agenda.plan(visit.in_days(pause), Deed::Invest);
            }
            _ => {}
        }
    }

    fn borrows(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        let at = visit.stage("mortgage", stage);
        let ahead = visit.hours_ahead;
        let next = moves::leaves(&MORTGAGE, stage, at, ahead, visit.random);
        if let Some((at, next)) = next {
            self.agenda.plan(at, Deed::Borrow(next));
        }
        if stage == "documents" {
            visit.does("document_uploaded", &[("kind", text("payslip"))]);
        }
    }

    fn buys_funds(&mut self, visit: &mut Visit<'_>) {
        let mut buying = match self.buying.take() {
            Some(buying) => buying,
            None => Buying::begin(&PURCHASES, visit.now(), visit.random),
        };
        let amount = buying.amount_minor(visit.random);
        let fund = visit.random.pick(&["world", "bonds", "small_caps"]);
        visit.does("fund_viewed", &[("fund", text(fund))]);
        let order_id = visit.new_id("fund");
        visit.orders(&order_id, amount, CURRENCY, None, "app");
        if let Some(at) = buying.next(visit.random) {
            self.agenda.plan(visit.awake(at), Deed::Invest);
        }
        self.buying = Some(buying);
    }

    fn pays_by_card(visit: &mut Visit<'_>) {
        for _ in 0..visit.random.between(1, 3) {
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
    }

    fn signs_in(&mut self, visit: &mut Visit<'_>) {
        let device = visit.random.pick(&["app", "app", "web"]);
        visit.does("signed_in", &[("device", text(device))]);
        if self.funded {
            Self::pays_by_card(visit);
            if visit.random.chance(0.15) {
                self.balance += visit
                    .random
                    .between(-self.balance / 10, self.balance / 8 + 500);
                visit.profile(&[("balance", AttributeValue::Long(self.balance))]);
            }
        }
        // Some wait for the account and forget it; some go silent for a while.
        let again = if self.funded { 1.0 } else { 0.93 };
        if visit.random.chance(again) {
            let mut pause = visit.random.exponential(self.rhythm);
            if visit.random.chance(0.02) {
                pause += 30.0 + visit.random.exponential(45.0);
            }
            self.agenda.plan(visit.in_days(pause), Deed::SignIn);
        }
    }

    fn talks(&mut self, visit: &mut Visit<'_>) {
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
        let pause = visit.random.exponential(70.0);
        self.agenda.plan(visit.in_days(pause), Deed::Talk);
    }

    fn sees_a_campaign(&mut self, visit: &mut Visit<'_>) {
        if self.marketing {
            let (campaign, channel, cost) = visit.random.pick(&CAMPAIGNS);
            visit.touched(campaign, channel, Some((cost, CURRENCY)));
        }
        if visit.random.chance(0.05) {
            self.marketing = !self.marketing;
            visit.consents("marketing", self.marketing);
        }
        let pause = visit.random.exponential(35.0);
        self.agenda.plan(visit.in_days(pause), Deed::SeeCampaign);
    }

    fn gets_an_offer(&mut self, visit: &mut Visit<'_>) {
        if self.funded && self.marketing {
            offers::offer(visit, &RESPONSES, self.segment());
        }
        let pause = visit.random.exponential(45.0);
        self.agenda.plan(visit.in_days(pause), Deed::GetOffer);
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
        self.onboards(visit, "application");
        let soon = [
            (1.0, Deed::SignIn),
            (45.0, Deed::Talk),
            (25.0, Deed::SeeCampaign),
            (40.0, Deed::GetOffer),
        ];
        for (days, deed) in soon {
            let pause = visit.random.exponential(days);
            self.agenda.plan(visit.in_days(pause), deed);
        }
    }

    fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        match self.agenda.take() {
            Some(Deed::SignIn) => self.signs_in(visit),
            Some(Deed::Onboard(stage)) => self.onboards(visit, stage),
            Some(Deed::WantHome) => self.borrows(visit, "enquiry"),
            Some(Deed::Borrow(stage)) => self.borrows(visit, stage),
            Some(Deed::Invest) => self.buys_funds(visit),
            Some(Deed::Talk) => self.talks(visit),
            Some(Deed::SeeCampaign) => self.sees_a_campaign(visit),
            Some(Deed::GetOffer) => self.gets_an_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        visit.does("signed_in", &[("device", text("app"))]);
        if self.funded {
            Self::pays_by_card(visit);
        }
    }
}
