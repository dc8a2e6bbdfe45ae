//! `GET /v1/churn`: the churn risk of the tenant's customers and the calibration of its models.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::models::{Band, Decile, Thresholds};
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

const BANDS: [Band; 3] = [Band::Low, Band::Medium, Band::High];

/// Both kinds of churn.
#[derive(Debug)]
struct BothKinds;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChurnOverview {
    /// Churn of customers who buy without a contract; null until the tenant is defined.
    #[schema(required)]
    purchases: Option<ChurnOf>,
    /// Churn of subscribers: the risk of cancellation at the next renewal; null until a renewal
    /// model is trained. A subscriber who also buys counts in both.
    #[schema(required)]
    renewals: Option<ChurnOf>,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

/// One kind of churn.
#[derive(Debug, Serialize, ToSchema)]
struct ChurnOf {
    /// The name of the model.
    model: String,
    /// Whether the model's parameters are shipped defaults rather than trained on the tenant's own
    /// customers.
    shipped: bool,
    /// The risk from which the band is medium.
    medium_from: f64,
    /// The risk from which the band is high.
    high_from: f64,
    /// The bands, from low to high.
    bands: Vec<BandSize>,
    /// The number of customers without a score: those who have never bought, or have no
    /// subscription.
    not_scored: i64,
    /// The calibration of the trained model; null for shipped parameters.
    #[schema(required)]
    calibration: Option<Calibration>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BandSize {
    band: Band,
    /// The number of customers in the band.
    customers: i64,
}

/// The comparison of the model, fitted to the days before a holdout, with the holdout.
#[derive(Debug, Serialize, ToSchema)]
struct Calibration {
    /// The first day of the training data, in the tenant's time zone.
    #[schema(format = Date)]
    trained_from: String,
    /// The last day of the training data, and of the holdout.
    #[schema(format = Date)]
    trained_as_of: String,
    /// The first day of the holdout.
    #[schema(format = Date)]
    holdout_from: String,
    /// The deciles by expected value, lowest first. For purchases, the mean number of days with a
    /// purchase; for renewals, the share of cancellations.
    deciles: Vec<Tenth>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Tenth {
    /// The number of customers, or subscriptions, in the decile.
    size: u64,
    /// The value expected by the model.
    expected: f64,
    /// The value observed in the holdout.
    seen: f64,
}

/// Returns churn risk bands, models and calibration
///
/// Returns the number of customers in each churn risk band as of their last evaluation, for
/// customers who buy without a contract and for subscribers, with the models and their calibration
/// on a holdout.
#[utoipa::path(
    get,
    path = "/v1/churn",
    operation_id = "get_churn",
    tag = "predictions",
    responses((status = 200, description = "The bands and the models.", body = ChurnOverview)),
)]
pub(crate) async fn overview(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &BothKinds).await
}

impl Query for BothKinds {
    type Answer = ChurnOverview;

    fn dependency(&self) -> Option<Dependency> {
        const MOVED_BY: [Kind; 3] = [Kind::Scores, Kind::Population, Kind::Evaluation];
        Some(Dependency::Kinds(&MOVED_BY))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<ChurnOverview, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(ChurnOverview {
                purchases: None,
                renewals: None,
                evaluation: None,
            });
        };
        let customers = counts::totals(snapshot).await?.customers;
        let bands = counts::of_kind(snapshot, "band").await?;
        let purchases = of_purchases(&definitions, &bands, customers);
        let renewals = if definitions.models.renewal.is_some() {
            let bands = counts::of_kind(snapshot, "renewal_band").await?;
            of_renewals(&definitions, &bands, customers)
        } else {
            None
        };
        Ok(ChurnOverview {
            purchases: Some(purchases),
            renewals,
            evaluation: counts::evaluation(snapshot, definitions.version).await?,
        })
    }
}

fn of_purchases(
    definitions: &TenantDefinitions,
    bands: &BTreeMap<String, i64>,
    customers: i64,
) -> ChurnOf {
    let model = &definitions.churn;
    let trained = definitions.models.churn.as_ref();
    // Of another family than the tenant asks for it does not score.
    let trained = trained.filter(|trained| trained.name() == model.name);
    let calibration = trained.map(|trained| Calibration {
        trained_from: trained.from.to_string(),
        trained_as_of: trained.as_of.to_string(),
        holdout_from: trained.model.holdout.from.to_string(),
        deciles: tenths(&trained.model.holdout.calibration),
    });
    churn_of(
        model.name.clone(),
        model.thresholds,
        bands,
        customers,
        calibration,
    )
}

fn of_renewals(
    definitions: &TenantDefinitions,
    bands: &BTreeMap<String, i64>,
    customers: i64,
) -> Option<ChurnOf> {
    let trained = definitions.models.renewal.as_ref()?;
    let calibration = Calibration {
        trained_from: trained.from.to_string(),
        trained_as_of: trained.as_of.to_string(),
        holdout_from: trained.model.holdout.from.to_string(),
        deciles: tenths(&trained.model.holdout.calibration),
    };
    let name = format!("sbg/trained-{}", trained.as_of);
    let thresholds = definitions.renewal;
    Some(churn_of(
        name,
        thresholds,
        bands,
        customers,
        Some(calibration),
    ))
}

fn churn_of(
    model: String,
    thresholds: Thresholds,
    sizes: &BTreeMap<String, i64>,
    customers: i64,
    calibration: Option<Calibration>,
) -> ChurnOf {
    let bands = BANDS.map(|band| BandSize {
        band,
        customers: sizes.get(band.name()).copied().unwrap_or(0),
    });
    let scored: i64 = bands.iter().map(|of| of.customers).sum();
    ChurnOf {
        shipped: calibration.is_none(),
        model,
        medium_from: thresholds.medium,
        high_from: thresholds.high,
        bands: bands.into(),
        not_scored: customers - scored,
        calibration,
    }
}

fn tenths(deciles: &[Decile]) -> Vec<Tenth> {
    let tenth = |of: &Decile| Tenth {
        size: of.customers,
        expected: of.expected,
        seen: of.seen,
    };
    deciles.iter().map(tenth).collect()
}
