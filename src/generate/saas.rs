//! The behaviour of accounts of a help desk sold by subscription.

mod market;

use std::sync::Arc;

use tidemark_schemas::event::{Channel, Outcome, SubscriptionStatus};
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::market::Contact;
use super::people::Person;
use super::random::Random;
use super::renewals::{Plan, Renewing};
use super::talking::{self, Conversation};
use super::visit::{Visit, text};
use market::{AGENTS, CURRENCY, FEATURES, GROWTH, JOURNEY, MOVES, PLANS};

pub(super) use market::MARKET;

const TRIAL_DAYS: f64 = 30.0;
/// The chance that an account that does not pay signs in again.
const RETURNS: f64 = 0.93;
/// The chance that an account stops signing in for a while.
const FALLS_ASLEEP: f64 = 0.015;

/// A planned step of an account.
#[derive(Debug)]
enum Step {
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

/// An account that tries the product, may subscribe by the month, may grow, and may cancel.
#[derive(Debug)]
pub(super) struct Account {
    person: Person,
    company: String,
    country: &'static str,
    plan: &'static Plan,
    seats: i64,
    contact: Contact,
    /// The mean number of days between visits.
    rhythm: f64,
    subscription: Option<Arc<str>>,
    renewing: Option<Renewing>,
    left: bool,
    agenda: Agenda<Step>,
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
            contact: Contact::new(&MARKET, random.chance(0.6)),
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

    fn publish_subscription(&mut self, visit: &mut Visit<'_>, status: SubscriptionStatus) {
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
        visit.change_subscription(&id, status, self.plan.name, mrr, CURRENCY);
    }

    fn publish_invoice(&self, visit: &mut Visit<'_>) {
        let order_id = visit.new_id("invoice");
        let amount = self.seats * self.plan.seat_minor;
        visit.place_order(&order_id, amount, CURRENCY, None, "invoice");
    }

    fn enter(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        match stage {
            "paying" => return self.begin_to_pay(visit),
            "expanded" => return self.grow(visit),
            _ => {}
        }
        let at = visit.enter_stage(JOURNEY, stage);
        self.agenda
            .plan_move(&MOVES, (stage, at), Step::Enter, visit);
        if stage == "trial" {
            self.publish_subscription(visit, SubscriptionStatus::Trialing);
            self.agenda.plan(visit.in_days(TRIAL_DAYS), Step::EndTrial);
            visit.track("feature_used", &[("feature", text("inbox"))]);
        }
    }

    fn begin_to_pay(&mut self, visit: &mut Visit<'_>) {
        let at = visit.enter_stage(JOURNEY, "paying");
        self.agenda
            .plan_move(&GROWTH, ("paying", at), Step::Enter, visit);
        let (now, ahead) = (visit.now(), visit.hours_ahead);
        self.renewing = Some(Renewing::begin(self.plan, now, ahead, visit.random));
        self.publish_subscription(visit, SubscriptionStatus::Active);
        self.plan_decision(visit);
        self.publish_invoice(visit);
        visit.update_profile(&[("plan", text(self.plan.name))]);
    }

    fn plan_decision(&mut self, visit: &mut Visit<'_>) {
        if let Some(renewing) = &self.renewing {
            let at = renewing.decides(visit.random).max(visit.now());
            self.agenda.plan(at, Step::Decide);
        }
    }

    fn decide(&mut self, visit: &mut Visit<'_>) {
        let Some(renewing) = &self.renewing else {
            return;
        };
        if renewing.is_kept(visit.random) {
            self.agenda.plan(renewing.due(), Step::Renew);
        } else {
            self.cancel(visit);
        }
    }

    fn renew(&mut self, visit: &mut Visit<'_>) {
        if let Some(renewing) = &mut self.renewing {
            renewing.renew();
        }
        self.plan_decision(visit);
        let luck = visit.random.unit();
        if luck < 0.015 {
            return self.publish_subscription(visit, SubscriptionStatus::Paused);
        }
        if luck < 0.06 {
            self.publish_subscription(visit, SubscriptionStatus::PastDue);
            let days = 0.5 + visit.random.exponential(3.0).min(20.0);
            self.agenda.plan(visit.in_days(days), Step::PayLate);
            return;
        }
        self.publish_subscription(visit, SubscriptionStatus::Active);
        self.publish_invoice(visit);
    }

    fn pay_late(&mut self, visit: &mut Visit<'_>) {
        if self.pays() {
            self.publish_subscription(visit, SubscriptionStatus::Active);
            self.publish_invoice(visit);
        }
    }

    fn end_trial(&mut self, visit: &mut Visit<'_>) {
        if self.renewing.is_none() {
            self.publish_subscription(visit, SubscriptionStatus::Cancelled);
            visit.update_profile(&[("plan", text("none"))]);
        }
    }

    /// Adds seats within the plan: another plan would be another contract.
    fn grow(&mut self, visit: &mut Visit<'_>) {
        if !self.pays() {
            return;
        }
        visit.enter_stage(JOURNEY, "expanded");
        self.seats = (self.seats + visit.random.between(1, 6)).min(self.plan.most_seats);
        visit.update_profile(&[("seats", AttributeValue::Long(self.seats))]);
        self.publish_subscription(visit, SubscriptionStatus::Active);
    }

    fn cancel(&mut self, visit: &mut Visit<'_>) {
        self.left = true;
        self.publish_subscription(visit, SubscriptionStatus::Cancelled);
        visit.update_profile(&[("plan", text("none"))]);
        visit.track("export_downloaded", &[]);
    }

    fn use_product(visit: &mut Visit<'_>) {
        let device = visit.random.pick(&["web", "web", "mobile"]);
        visit.track("signed_in", &[("device", text(device))]);
        let now = text(visit.now().to_string());
        visit.update_profile(&[("last_login", now)]);
        for _ in 0..visit.random.between(0, 3) {
            let feature = visit.random.pick(&FEATURES);
            visit.track("feature_used", &[("feature", text(feature))]);
        }
    }

    fn sign_in(&mut self, visit: &mut Visit<'_>) {
        if self.left {
            return;
        }
        Self::use_product(visit);
        if !self.pays() && !visit.random.chance(RETURNS) {
            return;
        }
        let mut pause = visit.random.exponential(self.rhythm);
        if visit.random.chance(FALLS_ASLEEP) {
            pause += 15.0 + visit.random.exponential(40.0);
        }
        self.agenda.plan(visit.in_days(pause), Step::SignIn);
    }

    fn ask_for_help(&mut self, visit: &mut Visit<'_>) {
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
        self.agenda.plan_after(70.0, Step::AskForHelp, visit);
    }

    fn meet_campaign(&mut self, visit: &mut Visit<'_>) {
        self.contact.meet_campaign(visit);
        self.contact.reconsider(visit);
        let mean_days = if self.left { 90.0 } else { 26.0 };
        self.agenda.plan_after(mean_days, Step::SeeCampaign, visit);
    }

    fn receive_offer(&mut self, visit: &mut Visit<'_>) {
        if self.left {
            return;
        }
        self.contact.receive_offer(visit, self.segment());
        self.agenda.plan_after(60.0, Step::GetOffer, visit);
    }
}

impl Behaviour for Account {
    fn join(&mut self, visit: &mut Visit<'_>) {
        self.contact.acquire(visit);
        visit.update_profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("company", text(&self.company)),
            ("country", text(self.country)),
            ("company_size", text(self.segment())),
            ("seats", AttributeValue::Long(self.seats)),
            ("plan", text("trial")),
        ]);
        self.contact.publish_consent(visit);
        let at = visit.enter_stage(JOURNEY, "signup");
        self.agenda
            .plan_move(&MOVES, ("signup", at), Step::Enter, visit);
        self.agenda.plan_each(
            [
                (0.5, Step::SignIn),
                (40.0, Step::AskForHelp),
                (20.0, Step::SeeCampaign),
                (50.0, Step::GetOffer),
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
            Some(Step::Enter(stage)) => self.enter(visit, stage),
            Some(Step::EndTrial) => self.end_trial(visit),
            Some(Step::Decide) => self.decide(visit),
            Some(Step::Renew) => self.renew(visit),
            Some(Step::PayLate) => self.pay_late(visit),
            Some(Step::AskForHelp) => self.ask_for_help(visit),
            Some(Step::SeeCampaign) => self.meet_campaign(visit),
            Some(Step::GetOffer) => self.receive_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        Self::use_product(visit);
    }
}
