-- The jobs at work in the order of their tasks: the first with waiting tasks is found without a look at all of them.
CREATE INDEX job_first_at_work ON job (first_task)
    WHERE first_task IS NOT NULL AND (state <> 2 OR settled_mark < cancel_mark OR deleted = 1);
