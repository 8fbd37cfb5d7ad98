-- What the server counts, as lines of Prometheus' format. `total`: since the server's statistics begin.
WITH session AS (
  SELECT
    CASE WHEN state IN ('active', 'idle') THEN state WHEN state LIKE 'idle in transaction%' THEN 'in-transaction'
      ELSE 'other' END AS state,
    xact_start
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
), counted AS (
  SELECT sum(xact_commit) AS commits, sum(xact_rollback) AS rollbacks, sum(blks_hit) AS hits, sum(blks_read) AS reads,
    sum(deadlocks) AS deadlocks, sum(temp_bytes) AS temporary, sum(checksum_failures) AS broken
  FROM pg_stat_database
)
SELECT format('aidc_database_sessions{state="%s"} %s', known, (SELECT count(*) FROM session WHERE state = known))
FROM unnest(ARRAY['active', 'idle', 'in-transaction', 'other']) AS known
UNION ALL SELECT format('aidc_database_sessions_limit %s', current_setting('max_connections'))
UNION ALL SELECT format('aidc_database_oldest_transaction_seconds %s',
  coalesce(round(extract(epoch FROM max(clock_timestamp() - xact_start))), 0)) FROM session
UNION ALL SELECT format('aidc_database_transactions_total{result="commit"} %s', commits) FROM counted
UNION ALL SELECT format('aidc_database_transactions_total{result="rollback"} %s', rollbacks) FROM counted
UNION ALL SELECT format('aidc_database_blocks_total{from="memory"} %s', hits) FROM counted
UNION ALL SELECT format('aidc_database_blocks_total{from="disk"} %s', reads) FROM counted
UNION ALL SELECT format('aidc_database_deadlocks_total %s', deadlocks) FROM counted
UNION ALL SELECT format('aidc_database_temporary_bytes_total %s', temporary) FROM counted
UNION ALL SELECT format('aidc_database_checksum_failures_total %s', coalesce(broken, 0)) FROM counted
UNION ALL SELECT format('aidc_database_log_bytes_total %s', wal_bytes) FROM pg_stat_wal
UNION ALL SELECT format('aidc_database_size_bytes{database="%s"} %s', datname, pg_database_size(oid))
FROM pg_database WHERE NOT datistemplate;
