"""What people see in Slack: pure functions, dataclass in, blocks out. Nothing here queries, posts or asks a clock."""
