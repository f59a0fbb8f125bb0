"""`attnfocus doctor`: is this machine ready?"""
