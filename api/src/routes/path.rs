//! Path parameters: extractors that yield a checked id or name, or the problem.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tidemark_projections::definitions::{Journey, Segment, TenantDefinitions};
use tidemark_schemas::CustomerId;
use utoipa::IntoParams;

use crate::http::{Path, Problem};

/// The path of a customer.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct CustomerPath {
    /// The id of the customer, percent-encoded.
    pub(super) id: CustomerId,
}

/// The path of a segment.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct SegmentPath {
    /// The name of the segment.
    #[param(value_type = String)]
    pub(super) name: SegmentName,
}

/// The path of a journey.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct JourneyPath {
    /// The name of the journey.
    #[param(value_type = String)]
    pub(super) name: JourneyName,
}

/// The path of a customer's membership in a segment.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct MembershipPath {
    /// The id of the customer, percent-encoded.
    pub(super) id: CustomerId,
    /// The name of the segment.
    #[param(value_type = String)]
    pub(super) name: SegmentName,
}

/// The name of a segment that the tenant may or may not define.
#[derive(Debug)]
pub(super) struct SegmentName(String);

/// The name of a journey that the tenant may or may not define.
#[derive(Debug)]
pub(super) struct JourneyName(String);

impl SegmentName {
    /// Returns the name as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Finds the segment in the tenant's definitions; a problem if it is not defined.
    pub(super) fn find<'d>(
        &self,
        definitions: Option<&'d TenantDefinitions>,
    ) -> Result<(&'d TenantDefinitions, &'d Segment), Problem> {
        let found = definitions.and_then(|all| Some((all, all.segment(&self.0)?)));
        found.ok_or_else(|| Problem::not_found("segment", &self.0))
    }
}

impl JourneyName {
    /// Returns the name as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Finds the journey in the tenant's definitions; a problem if it is not defined.
    pub(super) fn find<'d>(
        &self,
        definitions: Option<&'d TenantDefinitions>,
    ) -> Result<(&'d TenantDefinitions, &'d Journey), Problem> {
        let found = definitions.and_then(|all| Some((all, all.journeys.get(&*self.0)?)));
        found.ok_or_else(|| Problem::not_found("journey", &self.0))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CustomerPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await?;
        Ok(Self {
            id: parse_customer(&id)?,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SegmentPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::from_request_parts(parts, state).await?;
        Ok(Self {
            name: SegmentName(name),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for JourneyPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::from_request_parts(parts, state).await?;
        Ok(Self {
            name: JourneyName(name),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MembershipPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((id, name)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        Ok(Self {
            id: parse_customer(&id)?,
            name: SegmentName(name),
        })
    }
}

fn parse_customer(id: &str) -> Result<CustomerId, Problem> {
    CustomerId::new(id)
        .map_err(|error| Problem::unprocessable("id", format!("the customer id {error}")))
}
