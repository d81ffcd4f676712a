"""`make compose-test`: docker-compose.yml is built and started for real, and a call is put through.

Whatever the machine lacks is made: an engine (a private dockerd), the base images (by
mmdebstrap, where none can be pulled), the wheels. All that was started is ended.
"""
