"""One worker process on a GPU or on the CPU: which slots a machine gets, the worker in each, and the job it forks."""
