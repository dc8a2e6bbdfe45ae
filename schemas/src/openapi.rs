//! `OpenAPI` schemas of the types whose JSON is written by hand.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::ids::MAX_ID_BYTES;
use crate::{AttributeValue, Currency, CustomerId, Instant, TenantId};

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
}

fn id(description: &str) -> RefOr<Schema> {
    // No id has more characters than bytes.
    text(description)
        .min_length(Some(1))
        .max_length(Some(MAX_ID_BYTES))
        .into()
}

/// Returns the schema of a closed set of words.
pub(crate) fn one_of(words: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .into()
}

impl PartialSchema for TenantId {
    fn schema() -> RefOr<Schema> {
        id("The id of a tenant: a company with data of its own, from 1 to 255 bytes.")
    }
}

impl PartialSchema for CustomerId {
    fn schema() -> RefOr<Schema> {
        id("The id of a customer, as in the customer's events: text of 1 to 255 bytes.")
    }
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        text("An instant in UTC (RFC 3339), with up to six decimals of a second.")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples(["2024-06-30T00:00:00Z"])
            .into()
    }
}

impl PartialSchema for Currency {
    fn schema() -> RefOr<Schema> {
        text("A currency code (ISO 4217).")
            .pattern(Some("^[A-Z]{3}$"))
            .examples(["EUR"])
            .into()
    }
}

impl PartialSchema for AttributeValue {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(
                [Type::Null, Type::Boolean, Type::Number, Type::String]
                    .into_iter()
                    .collect::<utoipa::openapi::schema::SchemaType>(),
            )
            .description(Some(
                "The value of an attribute: a boolean, a number (integers have up to 64 bits), text, \
                 or null if the attribute was set to no value. An attribute that was never set is \
                 absent.",
            ))
            .into()
    }
}

impl ToSchema for TenantId {}
impl ToSchema for CustomerId {}
impl ToSchema for Instant {}
impl ToSchema for Currency {}
impl ToSchema for AttributeValue {}
