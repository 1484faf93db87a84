"""HTTP, sockets and processes: uvicorn in this process, and the application that comes and goes inside it."""
