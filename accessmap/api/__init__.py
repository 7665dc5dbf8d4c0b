"""REST for HR and others: /api/v1/. An app of its own, for its keys and for the answers that it keeps for a day."""
