-- What the workloads of deletion work on: projects of an owner, and their tasks.

-- +goose Up
CREATE TABLE projects (
  id bigserial PRIMARY KEY,
  owner_id bigint NOT NULL,
  name varchar(100) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX projects_owner_id_idx ON projects (owner_id);
CREATE INDEX projects_dead_idx ON projects (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE tasks (
  id bigserial PRIMARY KEY,
  project_id bigint NOT NULL REFERENCES projects,
  title varchar(100) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX tasks_project_id_idx ON tasks (project_id);
CREATE INDEX tasks_dead_idx ON tasks (deleted_at) WHERE deleted_at IS NOT NULL;

-- +goose Down
DROP TABLE tasks;
DROP TABLE projects;
