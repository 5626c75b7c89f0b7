"""The service's own metrics and the fields of its log lines. This room knows no resource and no other room.

shared_metrics  counters and histograms that all processes of a service share
exposition      the text format of `/metrics`
log_fields      the fields of a log line besides its message
"""
