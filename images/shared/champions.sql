-- One line of JSON: of each registered model the version with the alias `champion`, the key of its card and the hash of
-- its weights; both are null where somebody else registered it. Nothing for a database that holds no registry.
SELECT to_regclass(format('%I.registered_model_aliases', current_database())) IS NOT NULL AS found \gset
\if :found
  SELECT set_config('search_path', format('%I', current_database()), false) \g /dev/null
  SELECT json_build_object('model', name, 'version', version, 'card', card, 'sha256', sha256) FROM (
    SELECT
      name,
      version,
      max(tag.value) FILTER (WHERE tag.key = 'card') AS card,
      max(tag.value) FILTER (WHERE tag.key = 'sha256') AS sha256
    FROM registered_model_aliases AS alias
    LEFT JOIN model_version_tags AS tag USING (name, version)
    WHERE alias.alias = 'champion'
    GROUP BY name, version
  ) AS champion ORDER BY name;
\endif
