"""What the measurements share. A bench is run as a script: ``./dev bench NAME``."""
