"""Benchmarks of hotserve beside uvicorn: `python -m benchmarks` runs all, `python -m benchmarks.latency` one."""
