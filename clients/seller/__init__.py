"""The seller portal: a person, their company, and the sections that their permissions open.

app.py        the portal and its pages
sections.py   which sections there are, and which permission opens which
demo.py       the invented rows that the sections show
"""
