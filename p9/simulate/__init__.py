"""A venue simulator: three venues on loopback, over real WebSockets and real REST, in their own wire formats.

It is the second opinion of the decoders, so it is written apart from them: nothing here comes from `cext` or from
`p9.venues`. Reading order: `market` (one instrument's order flow), `instrument` (what a venue knows of it),
`topic` and `connection` (who hears what), then one file per venue and its REST, and `server`, which binds them.
"""
