"""Notices: staff are told what is wrong, once when it starts and once when it ends, and in a digest otherwise.

`decision` is pure: what is wrong now, compared with what was told. `facts` reads what is wrong from the database,
`words` puts it in sentences, `sending` brings them to their recipients.
"""
