//! Somebody who looks for a home. Homes are not bought often enough for a model of purchases: what
//! can be told is how people move on, and who answers offers.

use tidemark_schemas::event::Channel;
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::moves::{self, Hazard};
use super::offers::{self, Response};
use super::people::Person;
use super::random::Random;
use super::talking::{self, Agent, Conversation};
use super::truth::Truth;
use super::visit::{Visit, text};

const CURRENCY: &str = "USD";
const JOURNEY: &str = "purchase";
const AREAS: [&str; 5] = [
    "harborside",
    "old_town",
    "northgate",
    "riverbend",
    "lakeview",
];
const AGENTS: [Agent; 4] = [
    Agent::new("alice", 900.0, 0.15),
    Agent::new("marcus", 5_400.0, 0.0),
    Agent::new("devon", 300.0, 0.1),
    Agent::new("ruth", 14_000.0, -0.15),
];
const MOVES: [Hazard; 7] = [
    Hazard::new("lead", "qualified", [0.09, 0.03, 0.008, 0.001]),
    Hazard::new("qualified", "viewing", [0.12, 0.05, 0.015, 0.003]),
    Hazard::new("viewing", "offer", [0.05, 0.035, 0.012, 0.003]),
    Hazard::new("offer", "under_contract", [0.14, 0.07, 0.02, 0.005]),
    Hazard::new("offer", "viewing", [0.08, 0.05, 0.03, 0.02]),
    Hazard::new("under_contract", "closed", [0.006, 0.035, 0.05, 0.02]),
    Hazard::new("under_contract", "viewing", [0.005, 0.005, 0.003, 0.002]),
];
const RESPONSES: [Response; 6] = [
    Response::new("mortgage_advice", "home_seekers", 0.33),
    Response::new("mortgage_advice", "investors", 0.12),
    Response::new("private_tour", "home_seekers", 0.45),
    Response::new("private_tour", "investors", 0.26),
    Response::new("yield_report", "home_seekers", 0.05),
    Response::new("yield_report", "investors", 0.5),
];
/// Campaign, channel, and what a touch costs in cents.
const CAMPAIGNS: [(&str, &str, i64); 4] = [
    ("new_listings", "email", 2),
    ("open_house", "email", 5),
    ("neighbourhood_guide", "post", 310),
    ("portal_ads", "social", 65),
];
/// How likely who is still looking comes by once more.
const LOOKS_AGAIN: f64 = 0.955;

/// What somebody is going to do.
#[derive(Debug)]
enum Deed {
    Look,
    Enter(&'static str),
    GetApproved,
    Talk,
    SeeCampaign,
    GetOffer,
}

/// Where the money comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Financing {
    Cash,
    Approved,
    NotApproved,
}

/// Looks, views, offers and perhaps buys; most give up on the way.
#[derive(Debug)]
pub(super) struct Buyer {
    person: Person,
    area: &'static str,
    /// In whole dollars.
    budget: i64,
    invests: bool,
    financing: Financing,
    news: bool,
    agent: Agent,
    stage: &'static str,
    /// Days between visits, on average.
    rhythm: f64,
    agenda: Agenda<Deed>,
}

/// What they are made with.
pub(super) fn truth() -> Truth {
    Truth::of(None, &[], &[(JOURNEY, &MOVES)], &RESPONSES)
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
            news: random.chance(0.7),
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

    fn comes_to_look(&mut self, visit: &mut Visit<'_>) {
        if self.stage == "closed" {
            return;
        }
        self.looks(visit);
        let busy = matches!(self.stage, "offer" | "under_contract");
        if busy || visit.random.chance(LOOKS_AGAIN) {
            let pause = visit.random.exponential(self.rhythm);
            self.agenda.plan(visit.in_days(pause), Deed::Look);
        }
    }

    /// The stage comes first: its moment is what the model of moves is about.
    fn enters(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        let before = std::mem::replace(&mut self.stage, stage);
        let at = visit.stage(JOURNEY, stage);
        let ahead = visit.hours_ahead;
        if let Some((at, next)) = moves::leaves(&MOVES, stage, at, ahead, visit.random) {
            self.agenda.plan(at, Deed::Enter(next));
        }
        match stage {
            "viewing" if before == "qualified" => {
                visit.does("viewing_booked", &[("area", text(self.area))]);
                let pause = visit.random.exponential(14.0);
                self.agenda.plan(visit.in_days(pause), Deed::GetApproved);
            }
            "viewing" => visit.does("viewing_booked", &[("area", text(self.area))]),
            "offer" => {
                // Nobody offers before the money is certain.
                self.is_approved(visit);
                let offer = self.budget * visit.random.between(90, 104) / 100;
                visit.does("offer_made", &[("price", AttributeValue::Long(offer))]);
            }
            "closed" => self.gets_the_keys(visit),
            _ => {}
        }
    }

    fn gets_the_keys(&self, visit: &mut Visit<'_>) {
        let price = self.budget * visit.random.between(88, 106) / 100;
        let order_id = visit.new_id("sale");
        visit.orders(&order_id, price * 100, CURRENCY, None, "agent");
        if visit.random.chance(0.06) {
            // Something was not as it had been said.
            talking::ticket(visit, "high");
            visit.refund(&order_id, price / 2, CURRENCY);
        }
        visit.profile(&[("owner", AttributeValue::Boolean(true))]);
    }

    fn is_approved(&mut self, visit: &mut Visit<'_>) {
        if self.financing == Financing::NotApproved {
            self.financing = Financing::Approved;
            visit.profile(&[("preapproved", AttributeValue::Boolean(true))]);
        }
    }

    fn talks(&mut self, visit: &mut Visit<'_>) {
        // The nearer to the keys, the happier.
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
            let pause = visit.random.exponential(34.0);
            self.agenda.plan(visit.in_days(pause), Deed::Talk);
        }
    }

    fn sees_a_campaign(&mut self, visit: &mut Visit<'_>) {
        let (campaign, channel, cost) = visit.random.pick(&CAMPAIGNS);
        if self.news || channel != "email" {
            visit.touched(campaign, channel, Some((cost, CURRENCY)));
        }
        if visit.random.chance(0.05) {
            self.news = !self.news;
            visit.consents("listing_alerts", self.news);
        }
        let pause = visit.random.exponential(28.0);
        self.agenda.plan(visit.in_days(pause), Deed::SeeCampaign);
    }

    fn gets_an_offer(&mut self, visit: &mut Visit<'_>) {
        if self.stage == "closed" {
            return;
        }
        offers::offer(visit, &RESPONSES, self.segment());
        let pause = visit.random.exponential(55.0);
        self.agenda.plan(visit.in_days(pause), Deed::GetOffer);
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
        let (financing, approved) = match self.financing {
            Financing::Cash => ("cash", false),
            Financing::Approved => ("mortgage", true),
            Financing::NotApproved => ("mortgage", false),
        };
        visit.profile(&[
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
        visit.consents("listing_alerts", self.news);
        self.enters(visit, "lead");
        let soon = [
            (2.0, Deed::Look),
            (12.0, Deed::Talk),
            (20.0, Deed::SeeCampaign),
            (35.0, Deed::GetOffer),
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
            Some(Deed::Look) => self.comes_to_look(visit),
            Some(Deed::Enter(stage)) => self.enters(visit, stage),
            Some(Deed::GetApproved) => self.is_approved(visit),
            Some(Deed::Talk) => self.talks(visit),
            Some(Deed::SeeCampaign) => self.sees_a_campaign(visit),
            Some(Deed::GetOffer) => self.gets_an_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        self.looks(visit);
    }
}
