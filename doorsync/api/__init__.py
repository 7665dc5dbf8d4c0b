"""What controllers are meant to hold, and whether they do, over REST: read only."""
