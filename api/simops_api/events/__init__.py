"""Following the state of a job: the job as it is answered, each time that it has changed."""
