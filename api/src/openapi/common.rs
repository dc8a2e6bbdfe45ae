//! Components that many operations refer to: headers, parameters and problems.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Header, HeaderBuilder, KnownFormat, Ref, RefOr, Required,
    ResponseBuilder, SchemaFormat,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::http::Document;

/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";

/// The type of a header's value.
enum Value {
    Text,
    Number,
    Instant,
}

/// The headers of answers.
const HEADERS: [(&str, Value, &str); 15] = [
    (
        "age",
        Value::Number,
        "The age of the answer in seconds. Present only while the database is unavailable.",
    ),
    (
        "cache-control",
        Value::Text,
        "Whether, and for how long, the answer may be cached.",
    ),
    (
        "etag",
        Value::Text,
        "The entity tag of the answer, to be sent in If-None-Match.",
    ),
    (
        "ratelimit",
        Value::Text,
        "For each limit, the remaining quota (`r`) and the seconds until it is restored (`t`), as \
         in draft-ietf-httpapi-ratelimit-headers-10. Absent if no limit applies.",
    ),
    (
        "ratelimit-policy",
        Value::Text,
        "For each limit, the quota (`q`) and the seconds in which it is restored (`w`). Absent if \
         no limit applies.",
    ),
    (
        "retry-after",
        Value::Number,
        "The number of seconds to wait before a retry.",
    ),
    (
        "tidemark-definitions",
        Value::Number,
        "The version of the tenant's definitions in force. Absent until the tenant is defined.",
    ),
    (
        "tidemark-generation",
        Value::Number,
        "The id of the generation of projections the answer was read from.",
    ),
    (
        "tidemark-lag",
        Value::Number,
        "The number of records in the log that are not folded yet, over all partitions, as of \
         tidemark-lag-as-of.",
    ),
    (
        "tidemark-lag-as-of",
        Value::Instant,
        "The instant at which the processor last saw the end of the log, in the partition where that \
         is longest ago. If it is long ago, no processor runs, and the lag is greater than stated. \
         Absent until it has seen the end of every partition.",
    ),
    (
        "tidemark-stale",
        Value::Number,
        "The seconds since the answer was last known to be current. Present only while the \
         database is unavailable.",
    ),
    (
        "tidemark-watermark",
        Value::Instant,
        "The time up to which the answer reflects every record of the log, by append time, and \
         everything that time changes. Absent until every partition has folded a record.",
    ),
    (
        "vary",
        Value::Text,
        "The request headers the answer depends on.",
    ),
    (
        "www-authenticate",
        Value::Text,
        "The authentication challenge (RFC 6750).",
    ),
    (
        "x-request-id",
        Value::Text,
        "The id of the request, as in the server's log: the client's X-Request-Id if it is valid.",
    ),
];

/// The headers of every answer.
pub(super) const ALWAYS: &[&str] = &["cache-control", "vary", "x-request-id"];
/// The headers of answers read from the projections.
pub(super) const FRESHNESS: &[&str] = &[
    "tidemark-definitions",
    "tidemark-generation",
    "tidemark-lag",
    "tidemark-lag-as-of",
    "tidemark-watermark",
];
/// The headers of answers that count towards a rate limit.
pub(super) const LIMITS: &[&str] = &["ratelimit", "ratelimit-policy"];
/// The headers of answers that a client may cache.
pub(super) const KEPT: &[&str] = &["etag"];
/// The headers of cached answers while the database is unavailable.
pub(super) const STALE: &[&str] = &["age", "tidemark-stale"];

/// The problems: status, name, description, and headers beside [`ALWAYS`].
pub(super) const PROBLEMS: [(&str, &str, &str, &[&[&str]]); 9] = [
    (
        "400",
        "Malformed",
        "The request is malformed: an unknown or repeated parameter, a value of the wrong form, an \
         invalid cursor, or a Tidemark-Wait that is not a position.",
        &[LIMITS],
    ),
    (
        "401",
        "Unauthenticated",
        "The token is missing or invalid.",
        &[&["www-authenticate"]],
    ),
    (
        "403",
        "Forbidden",
        "The answer is derived from personal attributes, which the role in the token may not see.",
        &[LIMITS, FRESHNESS],
    ),
    (
        "404",
        "NotFound",
        "The tenant has no resource of that name.",
        &[LIMITS, FRESHNESS],
    ),
    (
        "413",
        "TooLarge",
        "The request body exceeds the limit. No operation reads a body.",
        &[LIMITS],
    ),
    (
        "422",
        "Unprocessable",
        "A parameter, named by `parameter`, is well-formed but not acceptable: a value out of \
         bounds, a name that is not defined, a cursor of another request, or a Tidemark-Wait for a \
         topic or partition that does not exist.",
        &[LIMITS, FRESHNESS],
    ),
    (
        "429",
        "TooMuch",
        "A rate limit, named by `violated-policies`, is exceeded, or the tenant has too many \
         concurrent requests.",
        &[LIMITS, &["retry-after"]],
    ),
    (
        "500",
        "Internal",
        "An internal error. The server's log has the cause under the request id.",
        &[LIMITS],
    ),
    (
        "503",
        "Unavailable",
        "A dependency is unavailable, the server is overloaded, the request timed out, or the \
         position in Tidemark-Wait was not folded in time.",
        &[LIMITS, FRESHNESS, &["retry-after"]],
    ),
];

/// The headers of requests: component name, header, description and example.
pub(super) const PARAMETERS: [(&str, &str, &str, &str); 3] = [
    (
        "IfNoneMatch",
        "If-None-Match",
        "The entity tags of cached answers, separated by commas. If one of them is current, the \
         answer is 304.",
        "W/\"1-0f3b5c1d2e4a69788796a5b4c3d2e1f0\"",
    ),
    (
        "TidemarkWait",
        "Tidemark-Wait",
        "Positions in the log, `<topic>/<partition>@<offset>` separated by commas. The answer \
         reflects the records at these positions (read your writes): the request waits until they \
         are folded, and after some seconds is answered 503. The response cache is bypassed.",
        "customer-events/3@17",
    ),
    (
        "RequestId",
        "X-Request-Id",
        "An id for the request: up to 128 letters, digits, `.`, `_` and `-`. An invalid id is \
         replaced.",
        "checkout-7f3a",
    ),
];

/// Returns the components, without the types of answers.
pub(super) fn components() -> Components {
    let mut components = Components::new();
    for (name, value, description) in HEADERS {
        components
            .headers
            .insert(name.to_owned(), header(&value, description).into());
    }
    for (name, header, description, example) in PARAMETERS {
        let parameter = parameter(header, description, example);
        components
            .parameters
            .insert(name.to_owned(), RefOr::T(parameter));
    }
    for (_, name, description, headers) in PROBLEMS {
        components
            .responses
            .insert(name.to_owned(), problem(description, headers).into());
    }
    components
        .responses
        .insert("NotModified".to_owned(), not_modified().into());
    components
        .schemas
        .insert(Document::name().into_owned(), Document::schema());
    components
        .security_schemes
        .insert(BEARER.to_owned(), RefOr::T(bearer()));
    components
}

/// Adds references to these headers.
pub(super) fn with_headers(response: ResponseBuilder, names: &[&[&str]]) -> ResponseBuilder {
    let names = names.iter().copied().flatten().chain(ALWAYS);
    names.fold(response, |response, name| {
        response.header_ref(*name, Ref::new(format!("#/components/headers/{name}")))
    })
}

fn header(value: &Value, description: &str) -> Header {
    let schema = match value {
        Value::Text => ObjectBuilder::new().schema_type(Type::String),
        Value::Number => ObjectBuilder::new().schema_type(Type::Integer),
        Value::Instant => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
    };
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(description))
        .build()
}

fn parameter(header: &str, description: &str, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(header)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some(example.into()))
        .build()
}

fn problem(description: &str, headers: &[&[&str]]) -> ResponseBuilder {
    let document = Ref::from_schema_name(Document::name());
    let content = ContentBuilder::new().schema(Some(document)).build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    with_headers(response, headers)
}

fn not_modified() -> ResponseBuilder {
    let description = "The client's cached answer is current. The headers state its freshness.";
    let response = ResponseBuilder::new().description(description);
    with_headers(response, &[KEPT, FRESHNESS, LIMITS, STALE])
}

fn bearer() -> SecurityScheme {
    let description = "A JSON Web Token (RFC 7519) with the claims `iss`, `aud`, `sub`, `exp`, \
        `tenant` and `role`. The role is `viewer`, `analyst` or `admin`. Viewers receive no values \
        of personal attributes; reads of personal attributes by the other roles are recorded in \
        the audit log. Accepted issuers and keys are configured by the operator.";
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(description));
    SecurityScheme::Http(scheme.build())
}
