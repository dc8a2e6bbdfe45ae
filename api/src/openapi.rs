//! The `OpenAPI` 3.1 document of the API.
//!
//! Handlers describe their own parameters and answers, types their own JSON. The effects of the
//! [layers] on every answer of a group of routes (headers, errors, roles) are added
//! [here](self::layered), once. The document is built once, and on no request of a tenant.
//!
//! [layers]: crate::layers

mod common;
mod layered;

use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Tag};

pub(crate) use self::layered::{NotFound, authenticated, liveness, public, readiness};

const TITLE: &str = "Tidemark read API";

const DESCRIPTION: &str = "\
The read API of Tidemark: the customers of a tenant, their segments, journeys and predictions, and \
daily metrics. Every answer states the position in the event log that it reflects.

**Authentication.** A request carries a bearer token. The token alone determines the tenant and the \
role of the caller.

**Requests.** Every operation is a GET, and HEAD is supported wherever GET is. An unknown query \
parameter, or one given twice, is answered 400 rather than ignored.

**Answers.** Members without a value are null, not absent. Names that end in `_minor` are amounts \
in minor units (such as cents) of the currency in the same answer. Lists with `next` are paged: \
send its value as `cursor`.

**Errors.** Every error is a problem document (RFC 9457). Its `type` is stable.

**Compatibility.** Under /v1, members may be added to answers. None is renamed or removed.";

const TAGS: [(&str, &str); 7] = [
    (
        "customers",
        "Single customers: profile, memberships and timeline.",
    ),
    (
        "segments",
        "Groups of customers, as the tenant defines them.",
    ),
    (
        "journeys",
        "Sequences of stages, as the tenant defines them, with conversion and dwell times.",
    ),
    (
        "analytics",
        "Metrics over all customers, by day in the tenant's time zone.",
    ),
    (
        "predictions",
        "Churn, value, RFM, clusters and next best actions, with the models behind them.",
    ),
    ("status", "The progress of the projections."),
    (
        "service",
        "Health, readiness and this reference. No token is required.",
    ),
];

/// Returns the document without any route.
fn empty() -> OpenApi {
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

/// Returns the document of these groups of routes.
pub(crate) fn document(groups: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    groups.into_iter().fold(empty(), OpenApi::merge_from)
}

/// Writes a document as indented JSON.
pub(crate) fn to_json(document: &OpenApi) -> String {
    // It holds names and texts alone, so it cannot fail to serialise.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
