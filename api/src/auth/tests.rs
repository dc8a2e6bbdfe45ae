//! Every way a token can be wrong.
