"""Notices: who is notified of what needs attention: once when it starts, once when it ends, and in a daily digest.

`detection` reads the current issues from the database. `decision` compares them with what recipients were notified of;
it is pure. `messages` renders notices, and `delivery` sends them. `problems` declares the codes of this package.
"""
