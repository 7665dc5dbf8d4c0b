"""The Offision Access Portal's Django project: what every app stands on."""
