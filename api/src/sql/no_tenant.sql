-- Row-level security shows no row for the rest of the transaction.
select set_config('tidemark.tenant', '', true)
