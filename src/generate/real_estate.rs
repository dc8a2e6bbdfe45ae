//! The behaviour of customers that look for a home.

mod market;

use tidemark_schemas::event::Channel;
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::market::Contact;
use super::people::Person;
use super::random::Random;
use super::talking::{self, Agent, Conversation};
use super::visit::{Visit, text};
use market::{AGENTS, AREAS, CURRENCY, JOURNEY, MOVES};

pub(super) use market::MARKET;

/// The chance that a customer without an offer under way visits again.
const RETURNS: f64 = 0.955;

/// A planned step of a buyer.
#[derive(Debug)]
enum Step {
    Look,
    Enter(&'static str),
    GetApproved,
    Talk,
    SeeCampaign,
    GetOffer,
}

/// The financing of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Financing {
    Cash,
    Approved,
    NotApproved,
}

/// A customer that looks at homes, makes offers and may buy; most never do.
#[derive(Debug)]
pub(super) struct Buyer {
    person: Person,
    area: &'static str,
    /// The budget, in whole dollars.
    budget: i64,
    invests: bool,
    financing: Financing,
    contact: Contact,
    agent: Agent,
    stage: &'static str,
    /// The mean number of days between visits.
    rhythm: f64,
    agenda: Agenda<Step>,
}

impl Buyer {
    pub(super) fn new(random: &mut Random) -> Self {
        let invests = random.chance(0.25);
        let luck = random.unit();
        let financing = if luck < if invests { 0.4 } else { 0.1 } {
            Financing::Cash
        } else if luck > 0.75 {
            Financing::Approved
        } else {
            Financing::NotApproved
        };
        Self {
            person: Person::new(random),
            area: random.pick(&AREAS),
            budget: random.amount(52.0, 0.45) * 10_000,
            invests,
            financing,
            contact: Contact::new(&MARKET, random.chance(0.7)),
            agent: random.pick(&AGENTS),
            stage: "lead",
            rhythm: random.log_normal(6.0, 0.5),
            agenda: Agenda::empty(),
        }
    }

    fn segment(&self) -> &'static str {
        if self.invests {
            "investors"
        } else {
            "home_seekers"
        }
    }

    fn view_listings(&self, visit: &mut Visit<'_>) {
        for _ in 0..visit.random.between(1, 5) {
            let price = self.budget * visit.random.between(75, 130) / 100;
            let area = if visit.random.chance(0.7) {
                self.area
            } else {
                visit.random.pick(&AREAS)
            };
            visit.track(
                "listing_viewed",
                &[("area", text(area)), ("price", AttributeValue::Long(price))],
            );
        }
        if visit.random.chance(0.2) {
            visit.track("listing_saved", &[("area", text(self.area))]);
        }
    }

    fn look(&mut self, visit: &mut Visit<'_>) {
        if self.stage == "closed" {
            return;
        }
        self.view_listings(visit);
        let busy = matches!(self.stage, "offer" | "under_contract");
        if busy || visit.random.chance(RETURNS) {
            self.agenda.plan_after(self.rhythm, Step::Look, visit);
        }
    }

    /// Enters the stage first: the model of moves describes its instant.
    fn enter(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        let before = std::mem::replace(&mut self.stage, stage);
        let at = visit.enter_stage(JOURNEY, stage);
        self.agenda
            .plan_move(&MOVES, (stage, at), Step::Enter, visit);
        match stage {
            "viewing" if before == "qualified" => {
                visit.track("viewing_booked", &[("area", text(self.area))]);
                self.agenda.plan_after(14.0, Step::GetApproved, visit);
            }
            "viewing" => visit.track("viewing_booked", &[("area", text(self.area))]),
            "offer" => {
                // An offer needs approved financing.
                self.approve(visit);
                let offer = self.budget * visit.random.between(90, 104) / 100;
                visit.track("offer_made", &[("price", AttributeValue::Long(offer))]);
            }
            "closed" => self.close(visit),
            _ => {}
        }
    }

    fn close(&self, visit: &mut Visit<'_>) {
        let price = self.budget * visit.random.between(88, 106) / 100;
        let order_id = visit.new_id("sale");
        visit.place_order(&order_id, price * 100, CURRENCY, None, "agent");
        if visit.random.chance(0.06) {
            // The home was not as described.
            talking::ticket(visit, "high");
            visit.refund(&order_id, price / 2, CURRENCY);
        }
        visit.update_profile(&[("owner", AttributeValue::Boolean(true))]);
    }

    fn approve(&mut self, visit: &mut Visit<'_>) {
        if self.financing == Financing::NotApproved {
            self.financing = Financing::Approved;
            visit.update_profile(&[("preapproved", AttributeValue::Boolean(true))]);
        }
    }

    fn talk(&mut self, visit: &mut Visit<'_>) {
        // The sentiment is best near the end of the purchase.
        let near = matches!(self.stage, "under_contract" | "closed");
        let (intent, mood) = visit.random.pick(&[
            ("viewing", 0.25),
            ("viewing", 0.25),
            ("financing", -0.1),
            ("price", -0.3),
        ]);
        let about = Conversation {
            channel: visit
                .random
                .pick(&[Channel::Email, Channel::Call, Channel::Sms]),
            agent: self.agent,
            intent,
            mood: if near { 0.5 } else { mood },
            sells: near || intent == "viewing",
        };
        talking::talk(visit, &about);
        if self.stage != "closed" {
            self.agenda.plan_after(34.0, Step::Talk, visit);
        }
    }

    fn meet_campaign(&mut self, visit: &mut Visit<'_>) {
        self.contact.meet_campaign(visit);
        self.contact.reconsider(visit);
        self.agenda.plan_after(28.0, Step::SeeCampaign, visit);
    }

    fn receive_offer(&mut self, visit: &mut Visit<'_>) {
        if self.stage == "closed" {
            return;
        }
        self.contact.receive_offer(visit, self.segment());
        self.agenda.plan_after(55.0, Step::GetOffer, visit);
    }
}

impl Behaviour for Buyer {
    fn join(&mut self, visit: &mut Visit<'_>) {
        self.contact.acquire(visit);
        let today = visit.today();
        let (financing, approved) = match self.financing {
            Financing::Cash => ("cash", false),
            Financing::Approved => ("mortgage", true),
            Financing::NotApproved => ("mortgage", false),
        };
        visit.update_profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("area", text(self.area)),
            ("budget", AttributeValue::Long(self.budget)),
            (
                "purpose",
                text(if self.invests { "investment" } else { "home" }),
            ),
            ("financing", text(financing)),
            ("preapproved", AttributeValue::Boolean(approved)),
            ("first_contact_on", today),
        ]);
        self.contact.publish_consent(visit);
        self.enter(visit, "lead");
        self.agenda.plan_each(
            [
                (2.0, Step::Look),
                (12.0, Step::Talk),
                (20.0, Step::SeeCampaign),
                (35.0, Step::GetOffer),
            ],
            visit,
        );
    }

    fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        match self.agenda.take() {
            Some(Step::Look) => self.look(visit),
            Some(Step::Enter(stage)) => self.enter(visit, stage),
            Some(Step::GetApproved) => self.approve(visit),
            Some(Step::Talk) => self.talk(visit),
            Some(Step::SeeCampaign) => self.meet_campaign(visit),
            Some(Step::GetOffer) => self.receive_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        self.view_listings(visit);
    }
}
