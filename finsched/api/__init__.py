"""The Python API: `pricing` quotes a job, `running` has the verbs of what was launched."""
