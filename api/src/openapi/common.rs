//! What many answers have in common, said once and referred to.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Header, HeaderBuilder, KnownFormat, Ref, RefOr, Required,
    ResponseBuilder, SchemaFormat,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::problem::Document;

/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";

/// What an answer says by a header, by the type of its value.
enum Value {
    Text,
    Number,
    Instant,
}

/// Headers of answers.
const HEADERS: [(&str, Value, &str); 14] = [
    (
        "age",
        Value::Number,
        "Seconds since the answer was read. Only while the database is away.",
    ),
    (
        "cache-control",
        Value::Text,
        "Whether, and how, the answer may be kept.",
    ),
    (
        "etag",
        Value::Text,
        "A hash of the answer, for If-None-Match.",
    ),
    (
        "ratelimit",
        Value::Text,
        "For each limit what is left (`r`) and the seconds until it is full again (`t`), as in \
         draft-ietf-httpapi-ratelimit-headers-10. Absent where there is no limit.",
    ),
    (
        "ratelimit-policy",
        Value::Text,
        "For each limit how much may be asked at once (`q`) and the seconds in which that comes \
         back (`w`). Absent where there is no limit.",
    ),
    (
        "retry-after",
        Value::Number,
        "Seconds after which asking again makes sense.",
    ),
    (
        "tidemark-definitions",
        Value::Number,
        "Version of the tenant's definitions in force. Absent before its first.",
    ),
    (
        "tidemark-generation",
        Value::Number,
        "Which generation of projections answered.",
    ),
    (
        "tidemark-lag",
        Value::Number,
        "Records seen in the log and not folded yet, of all partitions.",
    ),
    (
        "tidemark-stale",
        Value::Number,
        "Seconds since the answer was last known to hold. Only while the database is away.",
    ),
    (
        "tidemark-watermark",
        Value::Instant,
        "Everything appended to the log before it is in the answer. Absent until every partition \
         has begun.",
    ),
    (
        "vary",
        Value::Text,
        "Which headers of the request the answer depends on.",
    ),
    (
        "www-authenticate",
        Value::Text,
        "What is asked for (RFC 6750).",
    ),
    (
        "x-request-id",
        Value::Text,
        "The request's name, in our log too: the client's, if it sent a sane one.",
    ),
];

/// On every answer.
pub(super) const ALWAYS: &[&str] = &["cache-control", "vary", "x-request-id"];
/// On what was read from the projections.
pub(super) const FRESHNESS: &[&str] = &[
    "tidemark-definitions",
    "tidemark-generation",
    "tidemark-lag",
    "tidemark-watermark",
];
/// On what a tenant was charged for.
pub(super) const LIMITS: &[&str] = &["ratelimit", "ratelimit-policy"];
/// On what a client may keep.
pub(super) const KEPT: &[&str] = &["etag"];
/// On what is answered while the database is away.
pub(super) const STALE: &[&str] = &["age", "tidemark-stale"];

/// Answers without what was asked for: status, name, meaning, and headers beside [`ALWAYS`].
pub(super) const PROBLEMS: [(&str, &str, &str, &[&[&str]]); 8] = [
    (
        "400",
        "Malformed",
        "The request is broken whatever the data: an unknown parameter, one given twice, a value of \
         a wrong form, a cursor that is none, a Tidemark-Wait that is no position.",
        &[LIMITS],
    ),
    (
        "401",
        "Unauthenticated",
        "No token, or one that is not believed.",
        &[&["www-authenticate"]],
    ),
    (
        "404",
        "NotFound",
        "The tenant has nothing of that name.",
        &[LIMITS, FRESHNESS],
    ),
    (
        "413",
        "TooLarge",
        "The request has a body beyond the limit. No route reads one.",
        &[LIMITS],
    ),
    (
        "422",
        "Unprocessable",
        "Well-formed, but wrong: `parameter` names what. A value out of bounds, something that is \
         not defined, a cursor of another question, or a Tidemark-Wait for a place that is not \
         folded.",
        &[LIMITS, FRESHNESS],
    ),
    (
        "429",
        "TooMuch",
        "Too much was asked, by `violated-policies`, or too many requests of the tenant are under \
         way.",
        &[LIMITS, &["retry-after"]],
    ),
    (
        "500",
        "Internal",
        "A fault of ours. Its cause is in our log, under the request id.",
        &[LIMITS],
    ),
    (
        "503",
        "Unavailable",
        "Something we need is away, too much is under way, the answer took too long, or what \
         Tidemark-Wait names was not folded in time.",
        &[LIMITS, FRESHNESS, &["retry-after"]],
    ),
];

/// Parameters of requests, by the name they are referred to.
pub(super) const PARAMETERS: [(&str, &str, &str, &str); 3] = [
    (
        "IfNoneMatch",
        "If-None-Match",
        "Entity tags (`ETag`) of answers the client has: if one of them still holds, the answer is \
         304.",
        "W/\"1-0f3b5c1d2e4a69788796a5b4c3d2e1f0\"",
    ),
    (
        "TidemarkWait",
        "Tidemark-Wait",
        "Positions, `<topic>/<partition>@<offset>` separated by commas: the answer has what was \
         written there. It waits for some seconds, then it is 503. No kept answer is given.",
        "customer-events/3@17",
    ),
    (
        "RequestId",
        "X-Request-Id",
        "A name for the request: up to 128 letters, digits, `.`, `_` and `-`. Any other is replaced.",
        "checkout-7f3a",
    ),
];

/// Everything that is referred to, but the types of answers.
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

/// Refers to these headers.
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
    let description = "The client has the answer already; the headers say how fresh it is.";
    let response = ResponseBuilder::new().description(description);
    with_headers(response, &[KEPT, FRESHNESS, LIMITS, STALE])
}

fn bearer() -> SecurityScheme {
    let description = "A JSON web token (RFC 7519) with the claims `iss`, `aud`, `sub`, `exp`, \
        `tenant` and `role`. The role is `viewer`, `analyst` or `admin`: viewers see no values of \
        personal attributes; what the others see of them is recorded. Which keys and issuers are \
        believed is configured.";
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(description));
    SecurityScheme::Http(scheme.build())
}
