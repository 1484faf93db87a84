"""hotserve: the development server in which saving a file costs milliseconds."""
