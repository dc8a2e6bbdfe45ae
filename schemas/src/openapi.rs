//! How the types whose JSON is written by hand look in an API's description.

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

/// A word of a closed set.
pub(crate) fn one_of(words: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .into()
}

impl PartialSchema for TenantId {
    fn schema() -> RefOr<Schema> {
        id("A tenant: one company whose customers nobody else may see.")
    }
}

impl PartialSchema for CustomerId {
    fn schema() -> RefOr<Schema> {
        id("A customer of the tenant, as its events name it: up to 255 bytes of any text.")
    }
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        text("An instant in UTC, to the microsecond at most (RFC 3339).")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples(["2024-06-30T00:00:00Z"])
            .into()
    }
}

impl PartialSchema for Currency {
    fn schema() -> RefOr<Schema> {
        text("A currency by its ISO 4217 code.")
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
                "The value of an attribute: null (known to be without a value, which differs from \
                 an attribute never set), a truth value, a number (whole ones have up to 64 bits) \
                 or text.",
            ))
            .into()
    }
}

impl ToSchema for TenantId {}
impl ToSchema for CustomerId {}
impl ToSchema for Instant {}
impl ToSchema for Currency {}
impl ToSchema for AttributeValue {}
