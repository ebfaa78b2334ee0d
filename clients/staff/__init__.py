"""The staff portal: the person alone signs in and sees the companies they work for.

app.py        the portal and its page
"""
