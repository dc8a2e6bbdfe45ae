insert into tidemark.bundle (version, appended_at, bundle, rejected, format)
values ($1, $2, $3, $4, $5)
on conflict (version) do nothing
