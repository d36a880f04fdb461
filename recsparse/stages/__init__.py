"""The stages of a job; the command line and the pipelines are thin callers of these."""
