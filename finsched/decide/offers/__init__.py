"""Which offers can run a job, how fast they are, and how often they are taken back."""
