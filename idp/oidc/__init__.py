"""How clients speak to us: OpenID Connect and OAuth 2.0 over HTTP, on Authlib's engine.

In reading order: `guard` (what is refused before anything is understood), `server` (Authlib, with our storage), `client_auth` (which
client is it), `request_object` (a request in a JWT), `authorization_request` (what was asked), `authorization_response` and
`response_modes` (how the answer goes back), `front_channel` (tokens in it), `arrivals` (how many of them one network may begin), `steps`
(what the person still has to do), `grant_types`, `endpoints` (one file for each address), `logout` (a session ends, and who hears of it),
`sign_out_everywhere` (one person, out of everything), `sign_out_browser` (out of one browser), `change_phone` (and with another number),
`reset_factors` (and with the number alone).
"""
