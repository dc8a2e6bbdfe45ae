-- Sets up each new connection; false: for the session, not the transaction.
select
    set_config('statement_timeout', $1, false),
    set_config('lock_timeout', $1, false),
    set_config('idle_in_transaction_session_timeout', '30s', false),
    set_config('jit', 'off', false),            -- costs more than it saves on reads this short
    set_config('search_path', '', false),       -- each transaction sets its generation's
    set_config('timezone', 'UTC', false)
