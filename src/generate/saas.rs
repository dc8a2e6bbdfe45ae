//! A customer of a help desk that is sold by subscription: renewals are shifted-beta-geometric, each
//! plan with its own.

mod market;

use std::sync::Arc;

use tidemark_schemas::event::{Channel, Outcome, SubscriptionStatus};
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::moves::{self, Hazard};
use super::offers;
use super::people::Person;
use super::random::Random;
use super::renewals::{Plan, Renewing};
use super::talking::{self, Agent, Conversation};
use super::visit::{Visit, text};
use market::{CAMPAIGNS, GROWS, JOURNEY, MOVES, PLANS, RESPONSES};

pub(super) use market::truth;

const CURRENCY: &str = "EUR";
const FEATURES: [&str; 6] = [
    "inbox",
    "macros",
    "reports",
    "automation",
    "chat_widget",
    "api",
];
const AGENTS: [Agent; 2] = [
    Agent::new("jonas", 400.0, 0.1),
    Agent::new("mira", 2_400.0, -0.05),
];
const TRIAL_DAYS: f64 = 30.0;
/// Who tries and does not come to pay comes by once more that often.
const LOOKS_AGAIN: f64 = 0.93;
/// How often everybody stops coming for a while, though they pay.
const FALLS_ASLEEP: f64 = 0.015;

/// What an account is going to do.
#[derive(Debug)]
enum Deed {
    SignIn,
    Enter(&'static str),
    EndTrial,
    Decide,
    Renew,
    PayLate,
    AskForHelp,
    SeeCampaign,
    GetOffer,
}

/// Tries, may stay and pay by the month, may grow, may leave.
#[derive(Debug)]
pub(super) struct Account {
    person: Person,
    company: String,
    country: &'static str,
    plan: &'static Plan,
    seats: i64,
    news: bool,
    /// Days between visits, on average.
    rhythm: f64,
    subscription: Option<Arc<str>>,
    renewing: Option<Renewing>,
    left: bool,
    agenda: Agenda<Deed>,
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
        let seats = random.amount(7.0, 1.1).min(400);
        let fitting = PLANS.iter().find(|plan| seats <= plan.most_seats);
        Self {
            company: format!("{family} {kind}"),
            person,
            country: random.pick(&["de", "de", "de", "at", "ch", "nl", "fr"]),
            plan: fitting.unwrap_or(&PLANS[PLANS.len() - 1]),
            seats,
            news: random.chance(0.6),
            rhythm: random.log_normal(5.0, 0.5),
            subscription: None,
            renewing: None,
            left: false,
            agenda: Agenda::empty(),
        }
    }

    fn segment(&self) -> &'static str {
        if self.plan.name == "business" {
            "large_companies"
        } else {
            "small_companies"
        }
    }

    fn pays(&self) -> bool {
        self.renewing.is_some() && !self.left
    }

    fn subscription_is(&mut self, visit: &mut Visit<'_>, status: SubscriptionStatus) {
        let id = self.subscription.get_or_insert_with(|| visit.new_id("sub"));
        let id = Arc::clone(id);
        let mrr = match status {
            SubscriptionStatus::Active | SubscriptionStatus::PastDue => {
                self.seats * self.plan.seat_minor
            }
            SubscriptionStatus::Trialing
            | SubscriptionStatus::Paused
            | SubscriptionStatus::Cancelled => 0,
        };
        visit.subscribes(&id, status, self.plan.name, mrr, CURRENCY);
    }

    fn is_invoiced(&self, visit: &mut Visit<'_>) {
        let order_id = visit.new_id("invoice");
        let amount = self.seats * self.plan.seat_minor;
        visit.orders(&order_id, amount, CURRENCY, None, "invoice");
    }

    fn enters(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        match stage {
            "paying" => return self.begins_to_pay(visit),
            "expanded" => return self.grows(visit),
            _ => {}
        }
        let at = visit.stage(JOURNEY, stage);
        self.moves_on(visit, &MOVES, stage, at);
        if stage == "trial" {
            self.subscription_is(visit, SubscriptionStatus::Trialing);
            self.agenda.plan(visit.in_days(TRIAL_DAYS), Deed::EndTrial);
            visit.does("feature_used", &[("feature", text("inbox"))]);
        }
    }

    fn moves_on(&mut self, visit: &mut Visit<'_>, ways: &[Hazard], stage: &str, since: Instant) {
        let ahead = visit.hours_ahead;
        if let Some((at, next)) = moves::leaves(ways, stage, since, ahead, visit.random) {
            self.agenda.plan(at, Deed::Enter(next));
        }
    }

    fn begins_to_pay(&mut self, visit: &mut Visit<'_>) {
        let at = visit.stage(JOURNEY, "paying");
        self.moves_on(visit, &GROWS, "paying", at);
        let (now, ahead) = (visit.now(), visit.hours_ahead);
        self.renewing = Some(Renewing::begin(self.plan, now, ahead, visit.random));
        self.subscription_is(visit, SubscriptionStatus::Active);
        self.plans_to_decide(visit);
        self.is_invoiced(visit);
        visit.profile(&[("plan", text(self.plan.name))]);
    }

    fn plans_to_decide(&mut self, visit: &mut Visit<'_>) {
        if let Some(renewing) = &self.renewing {
            let at = renewing.decides(visit.random).max(visit.now());
            self.agenda.plan(at, Deed::Decide);
        }
    }

    fn decides(&mut self, visit: &mut Visit<'_>) {
        let Some(renewing) = &self.renewing else {
            return;
        };
        if renewing.is_kept(visit.random) {
            self.agenda.plan(renewing.due(), Deed::Renew);
        } else {
            self.leaves(visit);
        }
    }

    fn renews(&mut self, visit: &mut Visit<'_>) {
        if let Some(renewing) = &mut self.renewing {
            renewing.renew();
        }
        self.plans_to_decide(visit);
        let luck = visit.random.unit();
        if luck < 0.015 {
            return self.subscription_is(visit, SubscriptionStatus::Paused);
        }
        if luck < 0.06 {
            self.subscription_is(visit, SubscriptionStatus::PastDue);
            let days = 0.5 + visit.random.exponential(3.0).min(20.0);
            self.agenda.plan(visit.in_days(days), Deed::PayLate);
            return;
        }
        self.subscription_is(visit, SubscriptionStatus::Active);
        self.is_invoiced(visit);
    }

    fn pays_late(&mut self, visit: &mut Visit<'_>) {
        if self.pays() {
            self.subscription_is(visit, SubscriptionStatus::Active);
            self.is_invoiced(visit);
        }
    }

    fn ends_the_trial(&mut self, visit: &mut Visit<'_>) {
        if self.renewing.is_none() {
            self.subscription_is(visit, SubscriptionStatus::Cancelled);
            visit.profile(&[("plan", text("none"))]);
        }
    }

    /// More seats, within the plan: another plan would be another contract.
    fn grows(&mut self, visit: &mut Visit<'_>) {
        if !self.pays() {
            return;
        }
        visit.stage(JOURNEY, "expanded");
        self.seats = (self.seats + visit.random.between(1, 6)).min(self.plan.most_seats);
        visit.profile(&[("seats", AttributeValue::Long(self.seats))]);
        self.subscription_is(visit, SubscriptionStatus::Active);
    }

    fn leaves(&mut self, visit: &mut Visit<'_>) {
        self.left = true;
        self.subscription_is(visit, SubscriptionStatus::Cancelled);
        visit.profile(&[("plan", text("none"))]);
        visit.does("export_downloaded", &[]);
    }

    fn uses_it(visit: &mut Visit<'_>) {
        let device = visit.random.pick(&["web", "web", "mobile"]);
        visit.does("signed_in", &[("device", text(device))]);
        let now = text(visit.now().to_string());
        visit.profile(&[("last_login", now)]);
        for _ in 0..visit.random.between(0, 3) {
            let feature = visit.random.pick(&FEATURES);
            visit.does("feature_used", &[("feature", text(feature))]);
        }
    }

    fn signs_in(&mut self, visit: &mut Visit<'_>) {
        if self.left {
            return;
        }
        Self::uses_it(visit);
        if !self.pays() && !visit.random.chance(LOOKS_AGAIN) {
            return;
        }
        let mut pause = visit.random.exponential(self.rhythm);
        if visit.random.chance(FALLS_ASLEEP) {
            pause += 15.0 + visit.random.exponential(40.0);
        }
        self.agenda.plan(visit.in_days(pause), Deed::SignIn);
    }

    fn asks_for_help(&mut self, visit: &mut Visit<'_>) {
        if self.left {
            return;
        }
        let (intent, mood) = visit.random.pick(&[
            ("how_to", 0.2),
            ("how_to", 0.1),
            ("bug", -0.35),
            ("billing", -0.15),
            ("cancel", -0.4),
        ]);
        let about = Conversation {
            channel: visit.random.pick(&[Channel::Chat, Channel::Email]),
            agent: visit.random.pick(&AGENTS),
            intent,
            mood,
            sells: false,
        };
        if talking::talk(visit, &about) == Outcome::Escalated {
            let priority = visit.random.pick(&["normal", "high", "urgent"]);
            talking::ticket(visit, priority);
        }
        let pause = visit.random.exponential(70.0);
        self.agenda.plan(visit.in_days(pause), Deed::AskForHelp);
    }

    fn sees_a_campaign(&mut self, visit: &mut Visit<'_>) {
        let (campaign, channel, cost) = visit.random.pick(&CAMPAIGNS);
        if self.news || channel != "email" {
            visit.touched(campaign, channel, Some((cost, CURRENCY)));
        }
        if visit.random.chance(0.05) {
            self.news = !self.news;
            visit.consents("product_news", self.news);
        }
        let pause = visit
            .random
            .exponential(if self.left { 90.0 } else { 26.0 });
        self.agenda.plan(visit.in_days(pause), Deed::SeeCampaign);
    }

    fn gets_an_offer(&mut self, visit: &mut Visit<'_>) {
        if self.left {
            return;
        }
        offers::offer(visit, &RESPONSES, self.segment());
        let pause = visit.random.exponential(60.0);
        self.agenda.plan(visit.in_days(pause), Deed::GetOffer);
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
            ("company_size", text(self.segment())),
            ("seats", AttributeValue::Long(self.seats)),
            ("plan", text("trial")),
        ]);
        visit.consents("product_news", self.news);
        let at = visit.stage(JOURNEY, "signup");
        self.moves_on(visit, &MOVES, "signup", at);
        let soon = [
            (0.5, Deed::SignIn),
            (40.0, Deed::AskForHelp),
            (20.0, Deed::SeeCampaign),
            (50.0, Deed::GetOffer),
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
            Some(Deed::Enter(stage)) => self.enters(visit, stage),
            Some(Deed::EndTrial) => self.ends_the_trial(visit),
            Some(Deed::Decide) => self.decides(visit),
            Some(Deed::Renew) => self.renews(visit),
            Some(Deed::PayLate) => self.pays_late(visit),
            Some(Deed::AskForHelp) => self.asks_for_help(visit),
            Some(Deed::SeeCampaign) => self.sees_a_campaign(visit),
            Some(Deed::GetOffer) => self.gets_an_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        Self::uses_it(visit);
    }
}
