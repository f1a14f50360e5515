"""Where one file can be had: mirrors, what names them, and their order."""
