"""Setup: from nothing to the first door that follows a booking, step by step."""
