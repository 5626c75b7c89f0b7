"""`make attack`: what was tried by hand against the service, tried again. Not for CI: it floods this machine for minutes."""
