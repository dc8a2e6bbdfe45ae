//! A customer of an online shop for home and garden.

use std::sync::Arc;

use tidemark_schemas::AttributeValue;
use tidemark_schemas::event::{Channel, OrderItem, Outcome};

use super::behaviour::Behaviour;
use super::people::Person;
use super::random::Random;
use super::visit::{Conversation, Visit, text};

const CURRENCY: &str = "GBP";
const JOURNEY: &str = "shopping";
const CATEGORIES: [&str; 6] = [
    "garden", "kitchen", "lighting", "textiles", "tools", "storage",
];
const AGENTS: [&str; 3] = ["amy", "liam", "sana"];
/// Most who come once do not stay for years.
const LEAVES: f64 = 0.05;

/// Browses, fills carts, buys some of them, and one day stays away.
#[derive(Debug)]
pub(super) struct Shopper {
    person: Person,
    country: &'static str,
    newsletter: bool,
    /// Days between visits, on average.
    rhythm: f64,
    /// The usual price of one thing, in pence.
    taste: f64,
    orders: u32,
    last_order: Option<(Arc<str>, i64)>,
    gone: bool,
}

impl Shopper {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            person: Person::new(random),
            country: random.pick(&["gb", "gb", "gb", "gb", "ie", "fr", "nl"]),
            newsletter: random.chance(0.45),
            rhythm: random.log_normal(11.0, 0.5),
            taste: random.log_normal(2_400.0, 0.5),
            orders: 0,
            last_order: None,
            gone: false,
        }
    }

    fn browses(visit: &mut Visit<'_>) -> &'static str {
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

    fn buys(&mut self, visit: &mut Visit<'_>, category: &str) {
        let items: Vec<OrderItem> = (0..visit.random.between(1, 3))
            .map(|_| OrderItem {
                sku: format!("{category}-{:03}", visit.random.between(1, 60)).into(),
                quantity: if visit.random.chance(0.2) { 2 } else { 1 },
                unit_amount_minor: visit.random.amount(self.taste, 0.4),
            })
            .collect();
        let total: i64 = items
            .iter()
            .map(|item| i64::from(item.quantity) * item.unit_amount_minor)
            .sum();
        let channel = visit.random.pick(&["web", "web", "app", "app", "phone"]);
        let order_id = visit.new_id("order");
        visit.orders(&order_id, total, CURRENCY, Some(items), channel);
        self.orders += 1;
        let stage = if self.orders == 1 {
            "buyer"
        } else {
            "repeat_buyer"
        };
        visit.stage(JOURNEY, stage);
        self.last_order = Some((order_id, total));
    }

    /// Something is wrong with what was bought.
    fn complains(&mut self, visit: &mut Visit<'_>) {
        let Some((order_id, total)) = self.last_order.take() else {
            return;
        };
        let agent = visit.random.pick(&AGENTS);
        let refunded = visit.random.chance(0.5);
        let channel = visit.random.pick(&[Channel::Chat, Channel::Email]);
        visit.talks(&Conversation {
            channel,
            agent,
            intent: if refunded { "refund" } else { "delivery" },
            mood: -0.4,
            outcome: if refunded {
                Outcome::Resolved
            } else {
                Outcome::Escalated
            },
        });
        if refunded {
            let part = if visit.random.chance(0.6) {
                total
            } else {
                total / 2
            };
            visit.refund(&order_id, part.max(1), CURRENCY);
        } else if visit.random.chance(0.3) {
            self.gone = true;
        }
    }
}

impl Behaviour for Shopper {
    fn source(&self) -> &'static str {
        "shopify"
    }

    fn join(&mut self, visit: &mut Visit<'_>) {
        let campaign = visit
            .random
            .pick(&["spring_sale", "search", "search", "friends", "social"]);
        let cost = visit.random.between(15, 120);
        visit.touched(campaign, "web", Some((cost, CURRENCY)));
        let joined = visit.today();
        visit.profile(&[
            ("name", text(&self.person.name)),
            ("email", text(&self.person.email)),
            ("country", text(self.country)),
            ("newsletter", AttributeValue::Boolean(self.newsletter)),
            ("joined_on", joined),
        ]);
        visit.consents("marketing_email", self.newsletter);
        visit.stage(JOURNEY, "visitor");
        let category = Self::browses(visit);
        if visit.random.chance(0.55) {
            visit.stage(JOURNEY, "cart");
            self.buys(visit, category);
        }
    }

    fn act(&mut self, visit: &mut Visit<'_>) {
        if self.newsletter && visit.random.chance(0.4) {
            visit.touched("newsletter", "email", Some((1, CURRENCY)));
        }
        if visit.random.chance(0.06) {
            self.complains(visit);
        }
        let category = Self::browses(visit);
        if visit.random.chance(0.45) {
            visit.does("cart_filled", &[("category", text(category))]);
            visit.stage(JOURNEY, "cart");
            if visit.random.chance(0.6) {
                self.buys(visit, category);
            }
        }
        if visit.random.chance(0.02) {
            self.newsletter = !self.newsletter;
            visit.profile(&[("newsletter", AttributeValue::Boolean(self.newsletter))]);
            visit.consents("marketing_email", self.newsletter);
        }
    }

    fn pause_days(&mut self, random: &mut Random) -> Option<f64> {
        self.gone |= random.chance(LEAVES);
        (!self.gone).then(|| random.exponential(self.rhythm))
    }
}
