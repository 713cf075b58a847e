-- Single commands: jobs of one task, which searches for jobs pass over.
ALTER TABLE job ADD COLUMN single INTEGER NOT NULL DEFAULT 0;
DROP INDEX job_org;
CREATE INDEX job_org ON job (org) WHERE deleted = 0 AND single = 0;
