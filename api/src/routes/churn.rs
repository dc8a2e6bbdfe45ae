//! `GET /v1/churn`: how likely the tenant's customers are gone, and how well that is known.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::models::{Band, Decile, Thresholds};
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{NothingAsked, Parameters};
use crate::problem::Problem;

const BANDS: [Band; 3] = [Band::Low, Band::Medium, Band::High];

/// Both kinds of churn.
#[derive(Debug)]
struct BothKinds;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChurnOverview {
    /// Of customers who buy: nobody says so when they leave. Null of a tenant not yet defined.
    #[schema(required)]
    purchases: Option<ChurnOf>,
    /// Of customers who subscribe: how likely they cancel at the next renewal. Null until a model of
    /// it is trained. Who does both counts in both.
    #[schema(required)]
    renewals: Option<ChurnOf>,
    /// Null unless the tenant's customers are being evaluated under newer definitions: sizes are
    /// then between those of the old and of the new.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

/// One kind of churn.
#[derive(Debug, Serialize, ToSchema)]
struct ChurnOf {
    /// The model that scores it.
    model: String,
    /// Whether its parameters are those it ships with, not trained on the tenant's own customers.
    shipped: bool,
    /// From this risk on the band is medium.
    medium_from: f64,
    /// From this risk on the band is high.
    high_from: f64,
    /// From low to high.
    bands: Vec<BandSize>,
    /// Customers whom the model does not score: who never bought, or does not subscribe.
    not_scored: i64,
    /// How it did when it was trained; null of shipped parameters.
    #[schema(required)]
    calibration: Option<Calibration>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BandSize {
    band: Band,
    /// How many customers are in it.
    customers: i64,
}

/// The model, fitted to the days before a holdout, held against it.
#[derive(Debug, Serialize, ToSchema)]
struct Calibration {
    /// First day of the data the model was trained on, in the tenant's zone.
    #[schema(format = Date)]
    trained_from: String,
    /// Last day of the data, and of the holdout.
    #[schema(format = Date)]
    trained_as_of: String,
    /// First day of the holdout.
    #[schema(format = Date)]
    holdout_from: String,
    /// Tenths by what was expected, those first of whom least was. Of purchases the mean number of
    /// days with one; of renewals the part that cancelled.
    deciles: Vec<Tenth>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Tenth {
    /// Customers, or subscriptions, in it.
    size: u64,
    /// By the model.
    expected: f64,
    /// In the holdout.
    seen: f64,
}

/// How likely customers are gone
///
/// How many customers are in each band as of their last evaluation, of churn without a contract (who
/// buys) and with one (who subscribes), the models behind it, and how they did on a holdout when they
/// were trained.
#[utoipa::path(
    get,
    path = "/v1/churn",
    operation_id = "get_churn",
    tag = "predictions",
    responses((status = 200, description = "Bands and models.", body = ChurnOverview)),
)]
pub(crate) async fn overview(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &BothKinds).await
}

impl Query for BothKinds {
    type Answer = ChurnOverview;

    fn depends(&self) -> Option<Depends> {
        const MOVED_BY: [Kind; 3] = [Kind::Scores, Kind::Population, Kind::Evaluation];
        Some(Depends::Kinds(&MOVED_BY))
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
