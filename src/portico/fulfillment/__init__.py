"""From an approved order to a working service: story.py tells it, steps.py does it, outcomes.py says how it stops."""
