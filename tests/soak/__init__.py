"""The appliance for a long time: does anything grow that must not?"""
