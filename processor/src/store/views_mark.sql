select obj_description('tidemark_views'::regnamespace, 'pg_namespace')
