insert into tidemark.bundle (version, appended_at, bundle, rejected)
values ($1, $2, $3, $4)
on conflict (version) do nothing
