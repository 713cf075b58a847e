-- Beside the counters of a whole job (shard 0), those of each 2048 of its tasks (shards 1, 2, …) if it has more than 16,384.
INSERT INTO job_counter (job, shard, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9)
SELECT job.no, 1 + (task.id - job.first_task) / 2048,
       sum(task.state = 0), sum(task.state = 1), sum(task.state = 2), sum(task.state = 3), sum(task.state = 4),
       sum(task.state = 5), sum(task.state = 6), sum(task.state = 7), sum(task.state = 8), sum(task.state = 9)
FROM job CROSS JOIN task NOT INDEXED ON task.id >= job.first_task AND task.id < job.first_task + job.allocated
WHERE job.allocated > 16384
GROUP BY 1, 2;
