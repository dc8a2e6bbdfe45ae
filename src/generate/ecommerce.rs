//! The behaviour of an online shop's customers.

mod market;

use std::sync::Arc;

use tidemark_schemas::event::{Channel, OrderItem, Outcome};
use tidemark_schemas::{AttributeValue, Instant};

use super::behaviour::{Agenda, Behaviour};
use super::market::Contact;
use super::people::Person;
use super::purchases::Buying;
use super::random::Random;
use super::talking::{self, Conversation};
use super::visit::{Visit, text};
use market::{AGENTS, CATEGORIES, CURRENCY, JOURNEY, MOVES, PURCHASES};

pub(super) use market::MARKET;

/// The chance that a visitor without a purchase visits again.
const RETURNS: f64 = 0.9;
/// The chance that a former buyer visits again.
const RETURNS_AFTERWARDS: f64 = 0.6;

/// A planned step of a shopper.
#[derive(Debug)]
enum Step {
    Browse,
    Enter(&'static str),
    Buy,
    Complain { order_id: Arc<str>, total: i64 },
    SeeCampaign,
    GetOffer,
}

/// A customer that browse, fills carts, buys, and one day stops.
#[derive(Debug)]
pub(super) struct Shopper {
    person: Person,
    country: &'static str,
    lives_in_house: bool,
    contact: Contact,
    /// The mean number of days between visits.
    rhythm: f64,
    buying: Option<Buying>,
    gone: bool,
    agenda: Agenda<Step>,
}

impl Shopper {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            person: Person::new(random),
            country: random.pick(&["gb", "gb", "gb", "gb", "ie", "fr", "nl"]),
            lives_in_house: random.chance(0.6),
            contact: Contact::new(&MARKET, random.chance(0.55)),
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

    fn view_products(visit: &mut Visit<'_>) -> &'static str {
        let category: &'static str = visit.random.pick(&CATEGORIES);
        for _ in 0..visit.random.between(1, 4) {
            let product = format!("{category}-{:03}", visit.random.between(1, 60));
            visit.track(
                "product_viewed",
                &[("category", text(category)), ("product", text(product))],
            );
        }
        category
    }

    fn browse(&mut self, visit: &mut Visit<'_>) {
        let category = Self::view_products(visit);
        if visit.random.chance(0.15) {
            let term = visit.random.pick(&CATEGORIES);
            let results = visit.random.between(0, 40);
            visit.track(
                "searched",
                &[
                    ("term", text(term)),
                    ("results", AttributeValue::Long(results)),
                ],
            );
        }
        if self.buying.is_some() && visit.random.chance(0.25) {
            visit.track("cart_filled", &[("category", text(category))]);
        }
        let returns = match &self.buying {
            _ if self.gone => RETURNS_AFTERWARDS,
            None => RETURNS,
            Some(_) => 1.0,
        };
        if visit.random.chance(returns) {
            self.agenda.plan_after(self.rhythm, Step::Browse, visit);
        }
    }

    fn enter(&mut self, visit: &mut Visit<'_>, stage: &'static str) {
        if stage == "buyer" {
            let mut buying = Buying::begin(&PURCHASES, visit.now(), visit.random);
            self.buy(visit, &mut buying, Some(stage));
            self.buying = Some(buying);
            return;
        }
        let at = visit.enter_stage(JOURNEY, stage);
        self.agenda
            .plan_move(&MOVES, (stage, at), Step::Enter, visit);
        if stage == "cart" {
            let category = Self::view_products(visit);
            visit.track("cart_filled", &[("category", text(category))]);
        }
    }

    fn buy_again(&mut self, visit: &mut Visit<'_>) {
        let Some(mut buying) = self.buying.take() else {
            return;
        };
        let stage = (buying.purchases() == 2).then_some("repeat_buyer");
        self.buy(visit, &mut buying, stage);
        self.buying = Some(buying);
    }

    /// Enters the stage first: the model of moves describes its instant.
    fn buy(&mut self, visit: &mut Visit<'_>, buying: &mut Buying, stage: Option<&str>) {
        if let Some(stage) = stage {
            visit.enter_stage(JOURNEY, stage);
        }
        let category = Self::view_products(visit);
        visit.track("cart_filled", &[("category", text(category))]);
        visit.track("checkout_opened", &[]);
        let pounds = buying.amount_minor(visit.random);
        // Customers of other countries pay in euros, at the tenant's rate.
        let (total, currency) = if self.country == "gb" {
            (pounds, CURRENCY)
        } else {
            (pounds * 100 / 85 + 1, "EUR")
        };
        let items = basket(visit.random, category, total);
        let channel = visit.random.pick(&["web", "web", "app", "app", "phone"]);
        let order_id = visit.new_id("order");
        visit.place_order(&order_id, total, currency, Some(items), channel);
        if visit.random.chance(0.05) {
            let step = Step::Complain { order_id, total };
            self.agenda.plan_after(4.0, step, visit);
        }
        match buying.next(visit.random) {
            Some(at) => self.agenda.plan(visit.awake(at), Step::Buy),
            None => self.gone = true,
        }
    }

    /// Complains about a purchase.
    fn complain(&self, visit: &mut Visit<'_>, order_id: &Arc<str>, total: i64) {
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

    fn ask(visit: &mut Visit<'_>) {
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

    fn meet_campaign(&mut self, visit: &mut Visit<'_>) {
        self.contact.meet_campaign(visit);
        self.contact.reconsider(visit);
        if visit.random.chance(0.1) {
            Self::ask(visit);
        }
        if !self.gone || visit.random.chance(RETURNS_AFTERWARDS) {
            self.agenda.plan_after(24.0, Step::SeeCampaign, visit);
        }
    }

    fn receive_offer(&mut self, visit: &mut Visit<'_>) {
        if self.gone {
            return;
        }
        if self.contact.consents {
            self.contact.receive_offer(visit, self.segment());
        }
        self.agenda.plan_after(45.0, Step::GetOffer, visit);
    }
}

impl Behaviour for Shopper {
    fn join(&mut self, visit: &mut Visit<'_>) {
        self.contact.acquire(visit);
        let joined = visit.today();
        let dwelling = if self.lives_in_house { "house" } else { "flat" };
        visit.update_profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("country", text(self.country)),
            ("dwelling", text(dwelling)),
            ("newsletter", AttributeValue::Boolean(self.contact.consents)),
            ("joined_on", joined),
        ]);
        self.contact.publish_consent(visit);
        let at = visit.enter_stage(JOURNEY, "visitor");
        self.agenda
            .plan_move(&MOVES, ("visitor", at), Step::Enter, visit);
        self.browse(visit);
        self.agenda
            .plan_each([(12.0, Step::SeeCampaign), (30.0, Step::GetOffer)], visit);
    }

    fn next(&self) -> Option<Instant> {
        self.agenda.next()
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        match self.agenda.take() {
            Some(Step::Browse) => self.browse(visit),
            Some(Step::Enter(stage)) => self.enter(visit, stage),
            Some(Step::Buy) => self.buy_again(visit),
            Some(Step::Complain { order_id, total }) => self.complain(visit, &order_id, total),
            Some(Step::SeeCampaign) => self.meet_campaign(visit),
            Some(Step::GetOffer) => self.receive_offer(visit),
            None => {}
        }
    }

    fn drop_by(&mut self, visit: &mut Visit<'_>) {
        Self::view_products(visit);
        if visit.random.chance(0.1) {
            Self::ask(visit);
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

/// Returns one to three lines with a given total.
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
