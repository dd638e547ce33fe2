-- What all requests together used and cost, per hour and per day of the application's time zone, so that a dashboard does
-- not add up every log. The tables of users make the number of distinct ones exact when an hour is added up again; nothing
-- refers to users, because a number of the past outlives them.

-- +tombstone waive L701: the watermark is one row, whose key is 1

-- +goose Up
CREATE TABLE usage_dashboard_hourly (
  bucket_start timestamptz PRIMARY KEY,
  total_requests bigint NOT NULL DEFAULT 0,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cache_creation_tokens bigint NOT NULL DEFAULT 0,
  cache_read_tokens bigint NOT NULL DEFAULT 0,
  total_cost numeric(20,10) NOT NULL DEFAULT 0,
  actual_cost numeric(20,10) NOT NULL DEFAULT 0,
  total_duration_ms bigint NOT NULL DEFAULT 0,
  active_users bigint NOT NULL DEFAULT 0,
  computed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_usage_dashboard_hourly_bucket_start ON usage_dashboard_hourly (bucket_start DESC);

CREATE TABLE usage_dashboard_daily (
  bucket_date date PRIMARY KEY,
  total_requests bigint NOT NULL DEFAULT 0,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cache_creation_tokens bigint NOT NULL DEFAULT 0,
  cache_read_tokens bigint NOT NULL DEFAULT 0,
  total_cost numeric(20,10) NOT NULL DEFAULT 0,
  actual_cost numeric(20,10) NOT NULL DEFAULT 0,
  total_duration_ms bigint NOT NULL DEFAULT 0,
  active_users bigint NOT NULL DEFAULT 0,
  computed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_usage_dashboard_daily_bucket_date ON usage_dashboard_daily (bucket_date DESC);

CREATE TABLE usage_dashboard_hourly_users (
  bucket_start timestamptz NOT NULL,
  user_id bigint NOT NULL,
  PRIMARY KEY (bucket_start, user_id)
);

CREATE TABLE usage_dashboard_daily_users (
  bucket_date date NOT NULL,
  user_id bigint NOT NULL,
  PRIMARY KEY (bucket_date, user_id)
);

CREATE TABLE usage_dashboard_aggregation_watermark (
  id integer PRIMARY KEY,
  last_aggregated_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO usage_dashboard_aggregation_watermark (id) VALUES (1);

-- +goose Down
DROP TABLE usage_dashboard_aggregation_watermark;
DROP TABLE usage_dashboard_daily_users;
DROP TABLE usage_dashboard_hourly_users;
DROP TABLE usage_dashboard_daily;
DROP TABLE usage_dashboard_hourly;
