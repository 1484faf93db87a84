"""What a browser sees: the pages that hotserve serves itself."""
