-- One line of JSON: of each model the version that is served by the record of it, the key of its card, the hash of its
-- weights, and that of what it answered to a fixed request, if the record has one. Aliases, which whoever owns a model
-- may set, count only in a database of before there was that record; card and hash are null there where somebody else
-- registered the version. Nothing for a database that holds no registry.
SELECT to_regclass(format('%I.registered_model_aliases', current_database())) IS NOT NULL AS found \gset
\if :found
  SELECT set_config('search_path', format('%I', current_database()), false) \g /dev/null
  -- Which experiment is the record stands in a comment of the owner's (tracker/owned.py): its name alone proves nothing.
  SELECT CASE WHEN note IS JSON OBJECT THEN note::jsonb ->> 'aidc-serving' END IS NOT NULL AS recorded,
    coalesce(CASE WHEN note IS JSON OBJECT THEN note::jsonb ->> 'aidc-serving' END, '') AS record
  FROM obj_description('experiments'::regclass, 'pg_class') AS note \gset
  \if :recorded
    WITH change AS (
      SELECT kind.value AS kind, model.value AS model, runs.start_time, runs.run_uuid,
        CASE WHEN state.value IS JSON OBJECT THEN state.value::jsonb END AS state
      FROM runs
      JOIN tags AS kind ON kind.run_uuid = runs.run_uuid AND kind.key = 'aidc.kind'
      JOIN tags AS model ON model.run_uuid = runs.run_uuid AND model.key = 'aidc.model'
      JOIN tags AS state ON state.run_uuid = runs.run_uuid AND state.key = 'aidc.state'
      WHERE runs.experiment_id::text = :'record' AND runs.lifecycle_stage = 'active'
    ), newest AS (
      SELECT DISTINCT ON (model) model, state -> 'champion' AS champion
      FROM change
      WHERE kind = 'served' AND state ? 'revision'
      ORDER BY model, (state ->> 'revision')::bigint DESC
    ), answered AS (
      SELECT DISTINCT ON (model, state ->> 'sha256') model, state ->> 'sha256' AS sha256, state ->> 'answer' AS answer
      FROM change
      WHERE kind = 'answered' AND state ->> 'answer' ~ '^[0-9a-f]{64}$'
      ORDER BY model, state ->> 'sha256', start_time DESC, run_uuid
    )
    SELECT json_build_object('model', newest.model, 'version', (champion ->> 'version')::int, 'card', champion ->> 'card',
      'sha256', champion ->> 'sha256', 'answer', answer)
    FROM newest
    LEFT JOIN answered ON answered.model = newest.model AND answered.sha256 = champion ->> 'sha256'
    WHERE champion ->> 'sha256' IS NOT NULL
    ORDER BY newest.model;
  \else
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
\endif
