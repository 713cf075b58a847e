-- FAILED, RSP_TIMEOUT, TTL_TIMEOUT, as before: but for a list after IN, SQLite builds a table at every change of a task.
-- Queries have to repeat this very condition.
DROP INDEX task_rare;
CREATE INDEX task_rare ON task (state) WHERE state = 6 OR state = 8 OR state = 9;
