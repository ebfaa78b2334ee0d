"""How the provider speaks HTTP, whatever it says.

`http` (Request, and the answers that views give), `multipart` (forms with files), `cookies`, `languages`, `csrf`, `forms`, `headers`,
`pages` (templates become bytes), `faces` (a refusal as page, JSON or OAuth error), `serve` (one request, from the route to the bytes).
"""
