"""Batch jobs: reading the job file, checking it, loading data and models, running the jobs, and their records."""
