//! Pages: files for browsers, which are not part of the API.

pub(crate) mod reference;
