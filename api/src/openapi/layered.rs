//! The effects of the [layers](crate::layers) of a group of routes on each answer, added to the
//! handlers' own descriptions.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, Ref, RefOr, Response, SecurityRequirement};

use super::common::{ALWAYS, BEARER, FRESHNESS, KEPT, LIMITS, PARAMETERS, PROBLEMS, STALE};
use crate::auth::Role;
use crate::rate_limits::cost;

/// The 404 of a route that names a resource in its path.
pub(crate) struct NotFound;

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([("404".to_owned(), RefOr::Ref(response_ref("NotFound")))])
    }
}

/// Adds the effects of [`crate::layers::Layers::authenticated`]: token, limits, cache, guard.
pub(crate) fn authenticated(mut described: OpenApi) -> OpenApi {
    for (path, operation) in operations(&mut described) {
        let any_role = Role::ALL.map(|role| SecurityRequirement::new(BEARER, [role.as_str()]));
        operation.security = Some(any_role.to_vec());
        let said = operation.description.take().unwrap_or_default();
        let costs = format!("Rate limit cost: {}.", cost(path));
        let description = [said, costs].join("\n\n").trim_start().to_owned();
        operation.description = Some(description);
        let parameters = operation.parameters.get_or_insert_default();
        parameters.extend(
            PARAMETERS
                .map(|(name, ..)| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")))),
        );
        add_headers(operation, &[KEPT, FRESHNESS, LIMITS, STALE]);
        add_response(operation, "304", "NotModified");
        for (status, name, _, _) in PROBLEMS {
            if status != "404" {
                add_response(operation, status, name);
            }
        }
    }
    described
}

/// Describes the route that reports the last check of the database.
pub(crate) fn readiness(mut described: OpenApi) -> OpenApi {
    for (_, operation) in operations(&mut described) {
        without_token(operation);
        for (status, name, _, _) in PROBLEMS {
            if ["500", "503"].contains(&status) {
                add_response(operation, status, name);
            }
        }
    }
    described
}

/// Adds the effects of [`crate::layers::Layers::public`]: the limit of the peer.
pub(crate) fn public(mut described: OpenApi) -> OpenApi {
    for (_, operation) in operations(&mut described) {
        without_token(operation);
        add_headers(operation, &[KEPT]);
        add_response(operation, "304", "NotModified");
        add_response(operation, "429", "TooMuch");
    }
    described
}

/// Describes routes without a layer of their own.
pub(crate) fn liveness(mut described: OpenApi) -> OpenApi {
    for (_, operation) in operations(&mut described) {
        without_token(operation);
    }
    described
}

/// Describes a route that requires no token.
fn without_token(operation: &mut Operation) {
    operation.security = Some(Vec::new());
    add_headers(operation, &[]);
}

fn operations(described: &mut OpenApi) -> impl Iterator<Item = (&String, &mut Operation)> {
    let items = described.paths.paths.iter_mut();
    // The API has no operation but GET.
    items.filter_map(|(path, item)| Some((path, item.get.as_mut()?)))
}

fn add_headers(operation: &mut Operation, names: &[&[&str]]) {
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else {
        return;
    };
    for name in names.iter().copied().flatten().chain(ALWAYS) {
        let header = Ref::new(format!("#/components/headers/{name}"));
        answer
            .headers
            .insert((*name).to_owned(), RefOr::Ref(header));
    }
}

fn add_response(operation: &mut Operation, status: &str, name: &str) {
    let responses = &mut operation.responses.responses;
    responses.insert(status.to_owned(), RefOr::Ref(response_ref(name)));
}

fn response_ref(name: &str) -> Ref {
    Ref::new(format!("#/components/responses/{name}"))
}
