"""An identity provider that is phone-first and company-aware. `app.py` puts it together; `routes.py` is every address on one page."""
