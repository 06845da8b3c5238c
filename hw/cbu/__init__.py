"""The Control Block Unit."""
