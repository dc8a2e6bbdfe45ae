//! A customer of an online shop for home and garden: MBG/NBD, for many who buy once never come back.

use std::sync::Arc;

use tidemark_projections::models::{Family, Parameters, SpendingModel};
use tidemark_schemas::event::{Channel, OrderItem, Outcome};
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

const CURRENCY: &str = "GBP";
const JOURNEY: &str = "shopping";
const CATEGORIES: [&str; 6] = [
    "garden", "kitchen", "lighting", "textiles", "tools", "storage",
];
const AGENTS: [Agent; 3] = [
    Agent::new("amy", 90.0, 0.15),
    Agent::new("liam", 600.0, 0.0),
    Agent::new("sana", 1_800.0, -0.1),
];
const PURCHASES: Purchases = Purchases {
    family: Family::MbgNbd,
    parameters: Parameters {
        r: 0.9,
        alpha: 4.5,
        a: 0.8,
        b: 2.6,
    },
    spending: SpendingModel {
        p: 4.0,
        q: 4.0,
        v: 45.0,
    },
};
/// Up to the first purchase; what comes after it is a matter of [`PURCHASES`].
const MOVES: [Hazard; 4] = [
    Hazard::new("visitor", "cart", [0.07, 0.02, 0.006, 0.001]),
    Hazard::new("visitor", "buyer", [0.02, 0.006, 0.002, 0.0005]),
    Hazard::new("cart", "buyer", [0.14, 0.03, 0.006, 0.001]),
    Hazard::new("cart", "visitor", [0.03, 0.015, 0.01, 0.004]),
];
const RESPONSES: [Response; 6] = [
    Response::new("free_delivery", "house_owners", 0.22),
    Response::new("free_delivery", "flat_dwellers", 0.38),
    Response::new("garden_box", "house_owners", 0.31),
    Response::new("garden_box", "flat_dwellers", 0.07),
    Response::new("ten_percent", "house_owners", 0.15),
    Response::new("ten_percent", "flat_dwellers", 0.24),
];
/// Campaign, channel, and what a touch costs in pence.
const CAMPAIGNS: [(&str, &str, i64); 4] = [
    ("newsletter", "email", 1),
    ("spring_sale", "email", 1),
    ("catalogue", "post", 85),
    ("retargeting", "social", 12),
];
/// How many of those who look around, and of those who are gone as buyers, come by once more.
const LOOKS_AGAIN: f64 = 0.9;
const LINGERS: f64 = 0.6;

/// What a shopper is going to do.
#[derive(Debug)]
enum Deed {
    Browse,
    Enter(&'static str),
    Buy,
    Complain { order_id: Arc<str>, total: i64 },
    SeeCampaign,
    GetOffer,
}

/// Browses, fills carts, buys, and one day stays away.
#[derive(Debug)]
pub(super) struct Shopper {
    person: Person,
    country: &'static str,
    lives_in_house: bool,
    newsletter: bool,
    /// Days between visits, on average.
    rhythm: f64,
    buying: Option<Buying>,
    gone: bool,
    agenda: Agenda<Deed>,
}

/// What they are made with.
pub(super) fn truth() -> Truth {
    Truth::of(Some(&PURCHASES), &[], &[(JOURNEY, &MOVES)], &RESPONSES)
}

impl Shopper {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            person: Person::new(random),
            country: random.pick(&["gb", "gb", "gb", "gb", "ie", "fr", "nl"]),
            lives_in_house: random.chance(0.6),
            newsletter: random.chance(0.55),
            rhythm: random.log_normal(11.0, 0.5),
            buying: None,
            gone: false,
            agenda: Agenda::empty(),
        }
    }

    fn segment(&self) -> &'static str {
        if self.lives_in_house {
            "house_owners"
        } else {
            "flat_dwellers"
        }
    }

    fn looks_at_things(visit: &mut Visit<'_>) -> &'static str {
        let category: &'static str = visit.random.pick(&CATEGORIES);
        for _ in 0..visit.random.between(1, 4) {
            let product = format!("{category}-{:03}", visit.random.between(1, 60));
            visit.does(
                "product_viewed",
                &[("category", text(category)), ("product", text(product))],
            );
        }
        category
    }

    fn browses(&mut self, visit: &mut Visit<'_>) {
        let category = Self::looks_at_things(visit);
        if visit.random.chance(0.15) {
            let term = visit.random.pick(&CATEGORIES);
            let results = visit.random.between(0, 40);
            visit.does(
                "searched",
                &[
                    ("term", text(term)),
                    ("results", AttributeValue::Long(results)),
                ],
            );
        }
        if self.buying.is_some() && visit.random.chance(0.25) {
            visit.does("cart_filled", &[("category", text(category))]);
        }
        let again = match &self.buying {
            _ if self.gone => LINGERS,
            None => LOOKS_AGAIN,
            Some(_) => 1.0,
        };
        if visit.random.chance(again) {
            let pause = visit.random.exponential(self.rhythm);
            self.agenda.plan(visit.in_days(pause), Deed::Browse);
        }
    }

    fn enters(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        if stage == "buyer" {
            let mut buying = Buying::begin(&PURCHASES, visit.now(), visit.random);
            self.buys(visit, &mut buying, Some(stage));
            self.buying = Some(buying);
            return;
        }
        let at = visit.stage(JOURNEY, stage);
        self.moves_on(visit, stage, at);
        if stage == "cart" {
            let category = Self::looks_at_things(visit);
            visit.does("cart_filled", &[("category", text(category))]);
        }
    }

    fn moves_on(&mut self, visit: &mut Visit<'_>, stage: &str, since: Instant) {
        let ahead = visit.hours_ahead;
        if let Some((at, next)) = moves::leaves(&MOVES, stage, since, ahead, visit.random) {
            self.agenda.plan(at, Deed::Enter(next));
        }
    }

    fn buys_again(&mut self, visit: &mut Visit<'_>) {
        let Some(mut buying) = self.buying.take() else {
            return;
        };
        let stage = (buying.purchases() == 2).then_some("repeat_buyer");
        self.buys(visit, &mut buying, stage);
        self.buying = Some(buying);
    }

    /// The stage comes first: its moment is what the model of moves is about.
    fn buys(&mut self, visit: &mut Visit<'_>, buying: &mut Buying, stage: Option<&str>) {
        if let Some(stage) = stage {
            visit.stage(JOURNEY, stage);
        }
        let category = Self::looks_at_things(visit);
        visit.does("cart_filled", &[("category", text(category))]);
        visit.does("checkout_opened", &[]);
        let pounds = buying.amount_minor(visit.random);
        // Who lives elsewhere pays in euros, at the tenant's rate.
        let (total, currency) = if self.country == "gb" {
            (pounds, CURRENCY)
        } else {
            (pounds * 100 / 85 + 1, "EUR")
        };
        let items = basket(visit.random, category, total);
        let channel = visit.random.pick(&["web", "web", "app", "app", "phone"]);
        let order_id = visit.new_id("order");
        visit.orders(&order_id, total, currency, Some(items), channel);
        if visit.random.chance(0.05) {
            let days = visit.random.exponential(4.0);
            let deed = Deed::Complain { order_id, total };
            self.agenda.plan(visit.in_days(days), deed);
        }
        match buying.next(visit.random) {
            Some(at) => self.agenda.plan(visit.awake(at), Deed::Buy),
            None => self.gone = true,
        }
    }

    /// Something is wrong with what was bought.
    fn complains(&self, visit: &mut Visit<'_>, order_id: &Arc<str>, total: i64) {
        let refunded = visit.random.chance(0.35);
        let about = Conversation {
            channel: some_channel(visit.random),
            agent: visit.random.pick(&AGENTS),
            intent: if refunded { "refund" } else { "delivery" },
            mood: -0.4,
            sells: false,
        };
        let outcome = talking::talk(visit, &about);
        if refunded {
            let part = if visit.random.chance(0.4) {
                total
            } else {
                total / 4
            };
            let currency = if self.country == "gb" {
                CURRENCY
            } else {
                "EUR"
            };
            visit.refund(order_id, part.max(1), currency);
        }
        if outcome == Outcome::Escalated {
            talking::ticket(visit, "high");
        }
    }

    fn asks(visit: &mut Visit<'_>) {
        let intent = visit.random.pick(&["stock", "advice", "delivery"]);
        let about = Conversation {
            channel: some_channel(visit.random),
            agent: visit.random.pick(&AGENTS),
            intent,
            mood: 0.15,
            sells: intent == "advice",
        };
        talking::talk(visit, &about);
    }

    fn sees_a_campaign(&mut self, visit: &mut Visit<'_>) {
        let (campaign, channel, cost) = visit.random.pick(&CAMPAIGNS);
        if self.newsletter || channel != "email" {
            visit.touched(campaign, channel, Some((cost, CURRENCY)));
        }
        if visit.random.chance(0.05) {
            self.newsletter = !self.newsletter;
            visit.profile(&[("newsletter", AttributeValue::Boolean(self.newsletter))]);
            visit.consents("marketing_email", self.newsletter);
        }
        if visit.random.chance(0.1) {
            Self::asks(visit);
        }
        if !self.gone || visit.random.chance(LINGERS) {
            let pause = visit.random.exponential(24.0);
            self.agenda.plan(visit.in_days(pause), Deed::SeeCampaign);
        }
    }

    fn gets_an_offer(&mut self, visit: &mut Visit<'_>) {
        if self.gone {
            return;
        }
        if self.newsletter {
            offers::offer(visit, &RESPONSES, self.segment());
        }
        let pause = visit.random.exponential(45.0);
        self.agenda.plan(visit.in_days(pause), Deed::GetOffer);
    }
}

impl Behaviour for Shopper {
    fn source(&self) -> &'static str {
        "shopify"
    }

    fn join(&mut self, visit: &mut Visit<'_>) {
        let campaign = visit
            .random
            .pick(&["search", "search", "friends", "social"]);
        let cost = visit.random.between(15, 120);
        visit.touched(campaign, "web", Some((cost, CURRENCY)));
        let joined = visit.today();
        let dwelling = if self.lives_in_house { "house" } else { "flat" };
        visit.profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("country", text(self.country)),
            ("dwelling", text(dwelling)),
            ("newsletter", AttributeValue::Boolean(self.newsletter)),
            ("joined_on", joined),
        ]);
        visit.consents("marketing_email", self.newsletter);
        let at = visit.stage(JOURNEY, "visitor");
        self.moves_on(visit, "visitor", at);
        self.browses(visit);
        for (days, deed) in [(12.0, Deed::SeeCampaign), (30.0, Deed::GetOffer)] {
            let pause = visit.random.exponential(days);
            self.agenda.plan(visit.in_days(pause), deed);
        }
    }

    fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        match self.agenda.take() {
            Some(Deed::Browse) => self.browses(visit),
            Some(Deed::Enter(stage)) => self.enters(visit, stage),
            Some(Deed::Buy) => self.buys_again(visit),
            Some(Deed::Complain { order_id, total }) => self.complains(visit, &order_id, total),
            Some(Deed::SeeCampaign) => self.sees_a_campaign(visit),
            Some(Deed::GetOffer) => self.gets_an_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        Self::looks_at_things(visit);
        if visit.random.chance(0.1) {
            Self::asks(visit);
        }
    }
}

fn some_channel(random: &mut Random) -> Channel {
    random.pick(&[
        Channel::Chat,
        Channel::Chat,
        Channel::Email,
        Channel::Social,
    ])
}

/// One to three lines that come to a total.
fn basket(random: &mut Random, category: &str, total: i64) -> Vec<OrderItem> {
    let mut lines = Vec::new();
    let mut rest = total;
    for _ in 0..random.between(0, 2) {
        let quantity = if random.chance(0.2) { 2 } else { 1 };
        let price = rest * random.between(15, 45) / 100;
        if price > 0 {
            rest -= price * i64::from(quantity);
            lines.push(line(random, category, quantity, price));
        }
    }
    lines.push(line(random, category, 1, rest));
    lines
}

fn line(random: &mut Random, category: &str, quantity: i32, price: i64) -> OrderItem {
    OrderItem {
        sku: format!("{category}-{:03}", random.between(1, 60)).into(),
        quantity,
        unit_amount_minor: price,
    }
}
