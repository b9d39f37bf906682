"""The Windows executable, built and tried out where there is no Windows."""
