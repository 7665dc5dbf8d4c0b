"""What every API of the portal shares: errors as problem details, and the view of machine endpoints."""
