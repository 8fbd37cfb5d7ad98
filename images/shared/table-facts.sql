-- One line of JSON: of every table its number of rows, and a digest of them that does not depend on their order.
-- An unlogged table comes back from a dump, and empty from the log: it is marked.
-- The same text in the backup and in the drill: what was saved is compared with what came back.
SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601';
SET bytea_output = 'hex'; SET extra_float_digits = 1;
SELECT coalesce(
  json_object_agg(
    format('%I.%I', space.nspname, class.relname),
    json_strip_nulls(json_build_object(
      'rows', ((xpath('/row/count/text()', facts))[1]::text)::bigint,
      'digest', (xpath('/row/digest/text()', facts))[1]::text,
      'unlogged', CASE class.relpersistence WHEN 'u' THEN true END
    ))
  ),
  '{}'
)
FROM pg_class AS class
JOIN pg_namespace AS space ON space.oid = class.relnamespace
CROSS JOIN LATERAL query_to_xml(
  format(
    'SELECT count(*) AS count, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS digest FROM %I.%I AS t',
    space.nspname, class.relname
  ),
  false, true, ''
) AS facts
WHERE class.relkind IN ('r', 'm') AND space.nspname !~ '^(pg_|information_schema$)'
  -- In the middle of a replay they cannot be looked at.
  AND (class.relpersistence <> 'u' OR NOT pg_is_in_recovery());
