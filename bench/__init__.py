"""The figures of docs/reference/figures.md: ratios to floors that are measured in the same run."""
