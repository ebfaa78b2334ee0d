"""A technology partner's app: a person signs in to it for one company.

app.py        the portal and its page
"""
