"""What the service tells of itself.

counts      numbers that all processes of a service count together, for `/metrics`
log_fields  what a line of the log has besides its message
"""
