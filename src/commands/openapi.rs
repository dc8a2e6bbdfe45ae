//! `tidemark openapi`

use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidemark openapi > docs/openapi.json\n\n\
    `tidemark serve` answers the same under /v1/openapi.json, and shows it under /docs.")]
pub(crate) struct Arguments {}

pub(crate) fn run(Arguments {}: &Arguments) {
    output::line(tidemark_api::openapi().trim_end());
}
