//! Somebody who looks for a home.

use tidemark_schemas::AttributeValue;
use tidemark_schemas::event::{Channel, Outcome};

use super::behaviour::Behaviour;
use super::people::Person;
use super::random::Random;
use super::visit::{Conversation, Visit, text};

const CURRENCY: &str = "USD";
const JOURNEY: &str = "purchase";
const STAGES: [&str; 6] = [
    "lead",
    "qualified",
    "viewing",
    "offer",
    "under_contract",
    "closed",
];
const AREAS: [&str; 5] = [
    "harborside",
    "old_town",
    "northgate",
    "riverbend",
    "lakeview",
];
const AGENTS: [&str; 4] = ["alice", "marcus", "devon", "ruth"];
/// The broker's share of a price: two and a half percent.
const COMMISSION: i64 = 40;

/// Looks, views, offers and perhaps buys; most give up on the way.
#[derive(Debug)]
pub(super) struct Buyer {
    person: Person,
    area: &'static str,
    /// In whole dollars.
    budget: i64,
    pays_cash: bool,
    preapproved: bool,
    agent: &'static str,
    /// Index in [`STAGES`].
    stage: usize,
    /// Days between visits, on average.
    rhythm: f64,
    gone: bool,
}

impl Buyer {
    pub(super) fn new(random: &mut Random) -> Self {
        let pays_cash = random.chance(0.15);
        Self {
            person: Person::new(random),
            area: random.pick(&AREAS),
            budget: random.amount(52.0, 0.45) * 10_000,
            pays_cash,
            preapproved: !pays_cash && random.chance(0.3),
            agent: random.pick(&AGENTS),
            stage: 0,
            rhythm: random.log_normal(6.0, 0.5),
            gone: false,
        }
    }

    fn looks(&self, visit: &mut Visit<'_>) {
        for _ in 0..visit.random.between(1, 5) {
            let price = self.budget * visit.random.between(75, 130) / 100;
            let area = if visit.random.chance(0.7) {
                self.area
            } else {
                visit.random.pick(&AREAS)
            };
            visit.does(
                "listing_viewed",
                &[("area", text(area)), ("price", AttributeValue::Long(price))],
            );
        }
        if visit.random.chance(0.2) {
            visit.does("listing_saved", &[("area", text(self.area))]);
        }
    }

    fn talks_to_the_agent(&self, visit: &mut Visit<'_>) {
        // The nearer to the keys, the happier.
        let mood = if self.stage > 2 { 0.5 } else { 0.2 };
        let channel = visit
            .random
            .pick(&[Channel::Email, Channel::Call, Channel::Sms]);
        let intent = visit.random.pick(&["viewing", "financing", "price"]);
        visit.talks(&Conversation {
            channel,
            agent: self.agent,
            intent,
            mood,
            outcome: if self.stage > 2 {
                Outcome::Converted
            } else {
                Outcome::Resolved
            },
        });
    }

    /// One stage on, with what belongs to it.
    fn moves_on(&mut self, visit: &mut Visit<'_>) {
        self.stage += 1;
        let stage = STAGES[self.stage];
        match stage {
            "viewing" => visit.does("viewing_booked", &[("area", text(self.area))]),
            "offer" => {
                let offer = self.budget * visit.random.between(90, 104) / 100;
                visit.does("offer_made", &[("price", AttributeValue::Long(offer))]);
            }
            _ => {}
        }
        visit.stage(JOURNEY, stage);
        if stage == "closed" {
            let price = self.budget * visit.random.between(88, 106) / 100;
            let order_id = visit.new_id("sale");
            visit.orders(&order_id, price * 100 / COMMISSION, CURRENCY, None, "agent");
            visit.profile(&[("owner", AttributeValue::Boolean(true))]);
        }
    }
}

impl Behaviour for Buyer {
    fn source(&self) -> &'static str {
        "followupboss"
    }

    fn join(&mut self, visit: &mut Visit<'_>) {
        let portal = visit
            .random
            .pick(&["portal", "portal", "search", "open_house", "referral"]);
        let cost = visit.random.between(400, 3_500);
        visit.touched(portal, "web", Some((cost, CURRENCY)));
        let today = visit.today();
        visit.profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("area", text(self.area)),
            ("budget", AttributeValue::Long(self.budget)),
            (
                "financing",
                text(if self.pays_cash { "cash" } else { "mortgage" }),
            ),
            ("preapproved", AttributeValue::Boolean(self.preapproved)),
            ("first_contact_on", today),
        ]);
        visit.stage(JOURNEY, STAGES[0]);
        self.looks(visit);
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        self.looks(visit);
        if visit.random.chance(0.3) {
            self.talks_to_the_agent(visit);
        }
        if !self.pays_cash && !self.preapproved && self.stage > 0 && visit.random.chance(0.15) {
            self.preapproved = true;
            visit.profile(&[("preapproved", AttributeValue::Boolean(true))]);
        }
        // Nobody offers before the money is certain.
        let may_offer = self.pays_cash || self.preapproved || self.stage < 2;
        if self.stage + 1 < STAGES.len() && may_offer && visit.random.chance(0.24) {
            self.moves_on(visit);
        }
    }

    fn pause_days(&mut self, random: &mut Random) -> Option<f64> {
        let leaves = match STAGES[self.stage] {
            "closed" => 0.8,
            "offer" | "under_contract" => 0.02,
            _ => 0.07,
        };
        self.gone |= random.chance(leaves);
        (!self.gone).then(|| random.exponential(self.rhythm))
    }
}
