"""What a developer pastes into their own code: the client's settings, and sign-in with two popular libraries."""

from __future__ import annotations

import re
from string import Template
from urllib.parse import urlsplit

ENVIRONMENT = Template("""\
OIDC_ISSUER=$issuer
OIDC_CLIENT_ID=$client_id
$secret_line
OIDC_REDIRECT_URI=$redirect_uri
OIDC_SCOPE="$scope"
""")

FLASK = Template("""\
# pip install flask authlib requests
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session

app = Flask(__name__)
app.secret_key = "change me"
provider = OAuth(app).register(
    "provider",
    server_metadata_url="$issuer/.well-known/openid-configuration",
    client_id="$client_id",
$secret_argument    client_kwargs={"scope": "$scope", "code_challenge_method": "S256"},
)

@app.get("/sign-in")
def sign_in():
    return provider.authorize_redirect("$redirect_uri")

@app.get("$callback")
def callback():
    token = provider.authorize_access_token()  # checks state, nonce, issuer and signature
    session["user"] = token["userinfo"]
    return redirect("/")
""")

NODE = Template("""\
// npm install openid-client
import * as client from 'openid-client'

const config = await client.discovery(
  new URL('$issuer'), '$client_id', $authentication,$insecure
)

// where the sign-in begins
const code_verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: '$redirect_uri',
  scope: '$scope',
  code_challenge: await client.calculatePKCECodeChallenge(code_verifier),
  code_challenge_method: 'S256',
  state,
})
// keep code_verifier and state in the session, send the browser to address.href

// at $redirect_uri, with the address that was called
const tokens = await client.authorizationCodeGrant(config, currentUrl, {
  pkceCodeVerifier: code_verifier,
  expectedState: state,
})
console.log(tokens.claims())
""")


MACHINE = Template("""\
curl --user '$client_id:$secret' \\
  --data grant_type=client_credentials \\
  $issuer/token
""")


def snippets(*, issuer: str, client_id: str, secret: str | None, redirect_uri: str, scopes: list[str], kind: str) -> dict[str, str]:
    """Ready texts by name: `.env`, and code in Python (apps that keep a secret) and JavaScript. All values are filled in."""
    values = {
        "issuer": issuer,
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "callback": _path(redirect_uri),
        "scope": " ".join(scopes),
        "secret_line": f"OIDC_CLIENT_SECRET={secret}" if secret else "# no secret: anybody can read what is in this app. PKCE protects it.",
        "secret_argument": f'    client_secret="{secret}",\n' if secret else "",
        "authentication": f"'{secret}', undefined" if secret else "undefined, client.None()",
        # openid-client refuses http unless it is told so.
        "insecure": "\n  { execute: [client.allowInsecureRequests] }," if issuer.startswith("http:") else "",
    }
    texts = {".env": ENVIRONMENT, "Python: Flask and Authlib": FLASK, "JavaScript: openid-client": NODE}
    if kind == "machine":
        return {"curl": MACHINE.substitute(values, secret=secret)}
    if kind != "web":
        del texts["Python: Flask and Authlib"]  # it runs on a server, where there would be a secret
    return {name: re.sub(r"[ \t]+\n", "\n", text.substitute(values)) for name, text in texts.items()}


def _path(uri: str) -> str:
    return urlsplit(uri).path or "/"
