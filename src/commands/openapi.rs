//! `tidemark openapi`

use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark openapi > docs/openapi.json\n\n\
    `tidemark serve` returns the same at /v1/openapi.json, and a page for people at /docs.")]
pub(crate) struct Arguments {}

pub(crate) fn run(Arguments {}: &Arguments) {
    output::line(tidemark_api::openapi().trim_end());
}
