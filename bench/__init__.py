"""Measures of speed and cost, for ours and for its peers."""
