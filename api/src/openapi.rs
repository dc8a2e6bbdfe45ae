//! What the API says of itself: its `OpenAPI` 3.1 document.
//!
//! Handlers describe their own questions and answers, types their own JSON. What the [layers] do to
//! every answer of a group of routes (headers, refusals, roles) is said [here](self::layered), once.
//! Never asked while a request of a tenant is answered.
//!
//! [layers]: crate::layers

mod common;
mod layered;

use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Tag};

pub(crate) use self::layered::{NotFound, of_anybody, of_life, of_nobody, of_tenants};

const TITLE: &str = "Tidemark read API";

const DESCRIPTION: &str = "\
What is known of a tenant's customers, as of a position of the log that every answer names.

The token alone says whose customers are asked about, and in which role. What is not understood is \
refused, never ignored: an unknown query parameter, or one given twice, is a 400. Every error is a \
problem document (RFC 9457). A member without a value is null, not absent. Amounts of money are in \
minor units of the currency that stands beside them. Members may be added to answers; none is \
renamed or removed under /v1. HEAD is answered wherever GET is.";

const TAGS: [(&str, &str); 7] = [
    (
        "customers",
        "Who they are, what they did, and what follows.",
    ),
    (
        "segments",
        "Groups of customers, as the tenant defines them.",
    ),
    (
        "journeys",
        "Ways through stages, as the tenant defines them.",
    ),
    (
        "figures",
        "What all customers add up to, day by day of the tenant's calendar.",
    ),
    (
        "predictions",
        "What is to come: churn, value, and customers alike.",
    ),
    ("status", "How far the projections are."),
    (
        "service",
        "The process itself, for everybody: no token is asked for.",
    ),
];

/// The document without any route.
pub(crate) fn empty() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title(TITLE)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license));
    let tags = TAGS.map(|(name, description)| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    });
    OpenApiBuilder::new()
        .info(info)
        .tags(Some(tags))
        .components(Some(common::components()))
        .build()
}

/// The document, as it is served: JSON for people to compare, the same for the same source.
pub fn openapi() -> String {
    let mut text = crate::routes::description()
        .to_pretty_json()
        // Names and texts alone: nothing in it can fail to serialise.
        .unwrap_or_default();
    text.push('\n');
    text
}
