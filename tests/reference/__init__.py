"""Every analytic again, on whole arrays and from the formula alone: what the streaming ones are held against. Nothing here imports them."""
