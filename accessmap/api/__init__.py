"""The REST API at /api/v1/, for HR systems and other programs. A Django app of its own, for its models."""
