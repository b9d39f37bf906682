"""The live dashboard: what somebody looks at, read and conflated for them, and the page in `static`."""
