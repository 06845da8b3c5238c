"""Workflows, kernels, compiler and host scheduler."""
