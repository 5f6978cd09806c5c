"""The leader's page: one HTML file that loads nothing and runs nothing. It names no person."""
