-- How far the definitions topic is recorded, for the API's cache: an attribute declared personal is
-- hidden from that moment on, also in answers it keeps. The numbers alone: a bundle's text, which
-- may hold many tenants', stays out of the API's reach.
create policy api on tidemark.bundle for select to tidemark_api using (true);
grant select (version) on tidemark.bundle to tidemark_api;
