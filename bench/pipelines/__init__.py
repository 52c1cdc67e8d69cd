"""The pipelines that do the same job: ours as it ships, and what people would write or pick."""
