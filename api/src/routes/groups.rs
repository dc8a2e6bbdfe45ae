//! `GET /v1/rfm` and `GET /v1/clusters`: how many customers are where models place them.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::models::RfmCell;
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{NothingAsked, Parameters};
use crate::problem::Problem;

const MOVED_BY: [Kind; 3] = [Kind::Scores, Kind::Population, Kind::Evaluation];

/// Every cell.
#[derive(Debug)]
struct AllCells;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RfmGrid {
    /// Where the fifths end; null until they are trained, and then there are no cells.
    #[schema(required)]
    model: Option<Cuts>,
    /// All 125, from 1-1-1 to 5-5-5, or none.
    cells: Vec<CellSize>,
    /// Customers in none: who never bought.
    not_scored: i64,
    /// Null unless the tenant's customers are being evaluated under newer definitions: sizes are
    /// then between those of the old and of the new.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

/// Of each dimension the greatest value of the first four fifths.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RfmCuts)]
struct Cuts {
    /// By which scores name it.
    name: String,
    /// The last day of the data it was trained on, in the tenant's zone.
    #[schema(format = Date)]
    as_of: String,
    /// Days since the last purchase; the fifth with the fewest is 5.
    recency_days: [i64; 4],
    /// Days with a purchase.
    frequency: [u32; 4],
    /// Spent less refunds, in minor units of the tenant's currency.
    monetary_minor: [i64; 4],
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RfmCellSize)]
struct CellSize {
    /// 5 bought most lately.
    recency: u8,
    /// 5 bought most often.
    frequency: u8,
    /// 5 spent most.
    monetary: u8,
    /// How many customers are in it.
    customers: i64,
}

/// How many customers are in each RFM cell
///
/// Fifths of recency, frequency and monetary value, 5 best; sizes as of each customer's last
/// evaluation. Cells move with purchases and at midnight in the tenant's zone.
#[utoipa::path(
    get,
    path = "/v1/rfm",
    operation_id = "get_rfm",
    tag = "predictions",
    responses((status = 200, description = "The grid.", body = RfmGrid)),
)]
pub(crate) async fn rfm(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &AllCells).await
}

impl Query for AllCells {
    type Answer = RfmGrid;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&MOVED_BY))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<RfmGrid, Problem> {
        let definitions = snapshot.definitions().await?;
        let customers = counts::totals(snapshot).await?.customers;
        let trained = definitions.as_ref().and_then(|of| of.models.rfm.as_ref());
        let Some((definitions, trained)) = definitions.as_ref().zip(trained) else {
            return Ok(RfmGrid {
                model: None,
                cells: Vec::new(),
                not_scored: customers,
                evaluation: None,
            });
        };
        let sizes = counts::of_kind(snapshot, "rfm").await?;
        let cells = cells().map(|cell| CellSize {
            recency: cell.recency,
            frequency: cell.frequency,
            monetary: cell.monetary,
            customers: sizes.get(&cell.name()).copied().unwrap_or(0),
        });
        let cells: Vec<CellSize> = cells.collect();
        let scored: i64 = cells.iter().map(|of| of.customers).sum();
        Ok(RfmGrid {
            model: Some(Cuts {
                name: format!("rfm/trained-{}", trained.as_of),
                as_of: trained.as_of.to_string(),
                recency_days: trained.model.recency_days,
                frequency: trained.model.frequency,
                monetary_minor: trained.model.monetary_minor,
            }),
            cells,
            not_scored: customers - scored,
            evaluation: counts::evaluation(snapshot, definitions.version).await?,
        })
    }
}

fn cells() -> impl Iterator<Item = RfmCell> {
    let fifths = 1..=5_u8;
    fifths.clone().flat_map(move |recency| {
        let monetary = fifths.clone();
        fifths.clone().flat_map(move |frequency| {
            monetary.clone().map(move |monetary| RfmCell {
                recency,
                frequency,
                monetary,
            })
        })
    })
}

/// Every cluster.
#[derive(Debug)]
struct AllClusters;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Clusters {
    /// The model that makes them; null until it is trained.
    #[schema(required)]
    model: Option<ClusteredBy>,
    /// Best customers first.
    items: Vec<Group>,
    /// Customers in none: who never bought.
    not_scored: i64,
    /// Null unless the tenant's customers are being evaluated under newer definitions: sizes are
    /// then between those of the old and of the new.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClusteredBy {
    /// By which scores name it.
    name: String,
    /// The last day of the data it was trained on, in the tenant's zone.
    #[schema(format = Date)]
    as_of: String,
    /// How well they are apart, from -1 to 1.
    silhouette: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
struct Group {
    /// From 1, as conditions and changes name it.
    cluster: usize,
    /// How many customers are in it.
    customers: i64,
    /// How many were when it was trained.
    trained_on: u64,
    /// At the centre: days since the last purchase.
    recency_days: f64,
    /// At the centre: days with a purchase.
    frequency: f64,
    /// At the centre: spent less refunds, in minor units of the tenant's currency.
    monetary_minor: f64,
    /// Where the centre is in the picture: along the two directions in which customers differ most.
    coordinates: [f64; 2],
}

/// Groups of customers alike
///
/// k-means on recency, frequency and monetary value; sizes as of each customer's last evaluation.
#[utoipa::path(
    get,
    path = "/v1/clusters",
    operation_id = "list_clusters",
    tag = "predictions",
    responses((status = 200, description = "The clusters.", body = Clusters)),
)]
pub(crate) async fn clusters(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &AllClusters).await
}

impl Query for AllClusters {
    type Answer = Clusters;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&MOVED_BY))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Clusters, Problem> {
        let definitions = snapshot.definitions().await?;
        let customers = counts::totals(snapshot).await?.customers;
        let models = definitions.as_ref().map(|of| &of.models);
        let trained = models.and_then(|of| of.clusters.as_ref());
        let Some((definitions, trained)) = definitions.as_ref().zip(trained) else {
            return Ok(Clusters {
                model: None,
                items: Vec::new(),
                not_scored: customers,
                evaluation: None,
            });
        };
        let counted = counts::of_kind(snapshot, "cluster").await?;
        let scored: i64 = counted.values().sum();
        let centres = trained.model.centres();
        let items = centres.into_iter().zip(&trained.model.sizes).zip(1..);
        let items = items.map(|((centre, trained_on), cluster)| Group {
            cluster,
            customers: counted.get(&cluster.to_string()).copied().unwrap_or(0),
            trained_on: *trained_on,
            recency_days: centre.recency_days,
            frequency: centre.frequency,
            monetary_minor: centre.monetary_minor,
            coordinates: centre.coordinates,
        });
        Ok(Clusters {
            model: Some(ClusteredBy {
                name: format!("clusters/trained-{}", trained.as_of),
                as_of: trained.as_of.to_string(),
                silhouette: trained.model.silhouette,
            }),
            items: items.collect(),
            not_scored: customers - scored,
            evaluation: counts::evaluation(snapshot, definitions.version).await?,
        })
    }
}
