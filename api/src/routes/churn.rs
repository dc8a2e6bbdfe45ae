//! `GET /v1/churn`: the churn risk of the tenant's customers and the calibration of its models.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::models::{Band, Decile, Thresholds};
use utoipa::ToSchema;

use super::band::BANDS;
use super::counts::{self, Evaluation};
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

pub(super) mod at_risk;

/// Churn risk bands and models
///
/// The number of customers in each churn risk band as of their last evaluation, for purchases
/// without a contract and for subscriptions, with the models and their calibration on a holdout.
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
    reader.respond(&context, &ChurnQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChurnOverview {
    /// Churn of customers that buy without a contract; null until the tenant is defined.
    #[schema(required)]
    purchases: Option<ChurnModel>,
    /// Churn of subscribers: the risk of cancellation at the next renewal; null until a renewal
    /// model is trained. A subscriber that also buys counts in both.
    #[schema(required)]
    renewals: Option<ChurnModel>,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

/// A churn model, and the customers in its bands.
#[derive(Debug, Serialize, ToSchema)]
struct ChurnModel {
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
    /// The number of customers without a score: customers that have never bought, or have no
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
    deciles: Vec<CalibrationDecile>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CalibrationDecile {
    /// The number of customers, or subscriptions, in the decile.
    size: u64,
    /// The value expected by the model.
    expected: f64,
    /// The value observed in the holdout.
    seen: f64,
}

/// Reads the sizes of the bands and the models behind them.
#[derive(Debug)]
struct ChurnQuery;

impl Query for ChurnQuery {
    type Answer = ChurnOverview;

    fn dependency(&self) -> Option<Dependency> {
        const KINDS: [AggregateKind; 3] = [
            AggregateKind::Scores,
            AggregateKind::Population,
            AggregateKind::Evaluation,
        ];
        Some(Dependency::Kinds(&KINDS))
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
        let bands = counts::by_kind(snapshot, CounterKind::Band).await?;
        let purchases = purchase_churn(&definitions, &bands, customers);
        let renewals = if definitions.models.renewal.is_some() {
            let bands = counts::by_kind(snapshot, CounterKind::RenewalBand).await?;
            renewal_churn(&definitions, &bands, customers)
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

fn purchase_churn(
    definitions: &TenantDefinitions,
    bands: &BTreeMap<String, i64>,
    customers: i64,
) -> ChurnModel {
    let model = &definitions.churn;
    let trained = definitions.models.churn.as_ref();
    // A model of another family than the tenant has chosen does not score.
    let trained = trained.filter(|trained| trained.name() == model.name);
    let calibration = trained.map(|trained| Calibration {
        trained_from: trained.from.to_string(),
        trained_as_of: trained.as_of.to_string(),
        holdout_from: trained.model.holdout.from.to_string(),
        deciles: calibration_deciles(&trained.model.holdout.calibration),
    });
    churn_model(
        model.name.clone(),
        model.thresholds,
        bands,
        customers,
        calibration,
    )
}

fn renewal_churn(
    definitions: &TenantDefinitions,
    bands: &BTreeMap<String, i64>,
    customers: i64,
) -> Option<ChurnModel> {
    let trained = definitions.models.renewal.as_ref()?;
    let calibration = Calibration {
        trained_from: trained.from.to_string(),
        trained_as_of: trained.as_of.to_string(),
        holdout_from: trained.model.holdout.from.to_string(),
        deciles: calibration_deciles(&trained.model.holdout.calibration),
    };
    let name = format!("sbg/trained-{}", trained.as_of);
    let thresholds = definitions.renewal;
    Some(churn_model(
        name,
        thresholds,
        bands,
        customers,
        Some(calibration),
    ))
}

fn churn_model(
    model: String,
    thresholds: Thresholds,
    sizes: &BTreeMap<String, i64>,
    customers: i64,
    calibration: Option<Calibration>,
) -> ChurnModel {
    let bands = BANDS.map(|band| BandSize {
        band,
        customers: sizes.get(band.name()).copied().unwrap_or(0),
    });
    let scored: i64 = bands.iter().map(|of| of.customers).sum();
    ChurnModel {
        shipped: calibration.is_none(),
        model,
        medium_from: thresholds.medium,
        high_from: thresholds.high,
        bands: bands.into(),
        not_scored: customers - scored,
        calibration,
    }
}

fn calibration_deciles(deciles: &[Decile]) -> Vec<CalibrationDecile> {
    let decile = |of: &Decile| CalibrationDecile {
        size: of.customers,
        expected: of.expected,
        seen: of.seen,
    };
    deciles.iter().map(decile).collect()
}
