//! `GET /v1/rfm`: the sizes of the RFM cells.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::models::RfmCell;
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Customers by RFM cell
///
/// Cells combine quintiles of recency, frequency and monetary value; 5 is the best. Sizes are as of
/// each customer's last evaluation. A customer's cell changes with its purchases and at midnight in
/// the tenant's time zone.
#[utoipa::path(
    get,
    path = "/v1/rfm",
    operation_id = "get_rfm",
    tag = "predictions",
    responses((status = 200, description = "The cells and the cut points.", body = RfmGrid)),
)]
pub(crate) async fn rfm(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &RfmQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RfmGrid {
    /// The cut points of the model; null until an RFM model is trained, and `cells` is then empty.
    #[schema(required)]
    model: Option<Cuts>,
    /// The 125 cells, from 1-1-1 to 5-5-5; empty if no model is trained.
    cells: Vec<CellSize>,
    /// The number of customers in no cell, because they have never bought.
    not_scored: i64,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

/// The upper bounds of the first four quintiles of each dimension.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RfmCuts)]
struct Cuts {
    /// The name of the model, as scores name it.
    name: String,
    /// The last day of the training data, in the tenant's time zone.
    #[schema(format = Date)]
    as_of: String,
    /// The number of days since the last purchase. The quintile with the fewest days has the score
    /// 5.
    recency_days: [i64; 4],
    /// The number of days with a purchase.
    frequency: [u32; 4],
    /// The amount spent less refunds, in minor units of the tenant's currency.
    monetary_minor: [i64; 4],
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RfmCellSize)]
struct CellSize {
    /// The recency score, from 1 to 5 (most recent).
    recency: u8,
    /// The frequency score, from 1 to 5 (most frequent).
    frequency: u8,
    /// The monetary score, from 1 to 5 (highest spending).
    monetary: u8,
    /// The number of customers in the cell.
    customers: i64,
}

/// Reads the sizes of all RFM cells.
#[derive(Debug)]
struct RfmQuery;

impl Query for RfmQuery {
    type Answer = RfmGrid;

    fn dependency(&self) -> Option<Dependency> {
        const KINDS: [AggregateKind; 3] = [
            AggregateKind::Scores,
            AggregateKind::Population,
            AggregateKind::Evaluation,
        ];
        Some(Dependency::Kinds(&KINDS))
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
        let sizes = counts::by_kind(snapshot, CounterKind::Rfm).await?;
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
