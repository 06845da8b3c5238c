"""Octopus: an open scale-out spatial accelerator."""
