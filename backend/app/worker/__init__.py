"""The worker process: jobs, schedules and everything else that may come a moment later."""
