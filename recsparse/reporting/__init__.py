"""How a job shows itself: progress, and figures as text."""
