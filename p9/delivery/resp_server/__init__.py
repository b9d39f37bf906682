"""A small Redis of our own, for the machine that has none (Windows, or no binary): RESP2 and RESP3, in memory.

Reading order: `request` (bytes -> command) · `session` (one client) · `command` (the table) · `server` (what happens to
a command) · `database`, `stream`, `sorted_set`, `channels` (what is kept) · `commands_*` (by family) · `process`.
Limits, said aloud: no persistence, no scripts, no consumer groups, no cluster; made for about 20k events a second.
"""
