"""Three real relying parties of the identity provider: small web apps that hold no passwords.

They know the provider only by HTTP, as anyone's app would, and never import it. In reading order:

    settings.py    what the environment says: issuer, client, own address, store
    portal.py      the app of a portal: sign-in, callback, switching the company, sign-out
    provider.py    everything said to the provider, by Authlib: sign-in address, tokens, refresh, userinfo
    person.py      who is signed in, read from the claims
    store.py       sessions kept on the server, sealed; the browser holds only a random id
    pages.py       what every page has: language, headers, cookie, form protection
    texts.py       the texts in Russian, English and Chinese (catalogues/)
    serve.py       one worker process of granian, with or without TLS
    seller/        the seller portal: sections by permission
    staff/         the staff portal: a person and the companies they work for
    partner/       a technology partner's app
"""
