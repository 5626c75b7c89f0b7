"""The figures of the README: ratios to floors that are measured in the same run."""
