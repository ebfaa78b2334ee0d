"""What a developer pastes into their own code: the client's settings, and sign-in with popular libraries, by kind of client."""

from __future__ import annotations

import re
from string import Template
from urllib.parse import urlsplit

from idp.delegation import client_keys, registering
from idp.delegation.clients import Client
from idp.delegation.registering_keys import BY_HMAC, BY_KEY

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
    client_secret="$secret",
    client_kwargs={"scope": "$scope", "code_challenge_method": "S256"$flask_method},
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

NODE_KEY = """\
import { readFile } from 'node:fs/promises'

// the private half of the key $kid, PKCS 8
const pem = await readFile('private-key.pem', 'utf8')
const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\\s/g, ''), 'base64')
const key = await crypto.subtle.importKey('pkcs8', der, $web_crypto, false, ['sign'])
"""

NODE = Template("""\
// npm install openid-client
import * as client from 'openid-client'
$key_lines
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

SINGLE_PAGE = Template("""\
// npm install oidc-client-ts
import { UserManager } from 'oidc-client-ts'

const users = new UserManager({
  authority: '$issuer',
  client_id: '$client_id',
  redirect_uri: '$redirect_uri',$leaving
  scope: '$scope',
})

// the button `Sign in`
await users.signinRedirect()

// at $redirect_uri
const user = await users.signinCallback()
console.log(user.profile)

// before user.access_token expires; the library does it by itself while the page is open
await users.signinSilent()

// the button `Sign out`
await users.signoutRedirect()
""")

LOOPBACK = Template("""\
// npm install openid-client
import { createServer } from 'node:http'
import { once } from 'node:events'
import * as client from 'openid-client'

const config = await client.discovery(
  new URL('$issuer'), '$client_id', undefined, client.None(),$insecure
)

// the system chooses the port: every one is good
const listener = createServer().listen(0, '$loopback')
await once(listener, 'listening')
const redirect_uri = new URL('$redirect_uri')
redirect_uri.port = listener.address().port

const code_verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: redirect_uri.href,
  scope: '$scope',
  code_challenge: await client.calculatePKCECodeChallenge(code_verifier),
  code_challenge_method: 'S256',
  state,
})
console.log('Open in your browser:', address.href)

const [request, response] = await once(listener, 'request')
response.end('You can close this page.')
listener.close()
const tokens = await client.authorizationCodeGrant(config, new URL(request.url, redirect_uri), {
  pkceCodeVerifier: code_verifier,
  expectedState: state,
})
console.log(tokens.claims())
""")

ANDROID = Template("""\
// implementation("net.openid:appauth:0.11.1"); the library adds PKCE, state and nonce
AuthorizationServiceConfiguration.fetchFromIssuer(Uri.parse("$issuer")) { config, problem ->
    if (config == null) throw problem!!
    val request = AuthorizationRequest.Builder(config, "$client_id", ResponseTypeValues.CODE, Uri.parse("$redirect_uri"))
        .setScope("$scope")
        .build()
    startActivityForResult(AuthorizationService(this).getAuthorizationRequestIntent(request), SIGN_IN)
}
""")

CURL = Template("""\
curl $curl_authentication \\
  --data grant_type=client_credentials \\
  $issuer/token
""")

PYTHON_KEY = Template("""\
# pip install "joserfc>=1.7.6" requests
import time
import uuid

import requests
from joserfc import jwk, jwt

# the private half of the key $kid
with open("private-key.pem", "rb") as file:
    key = jwk.import_key(file.read(), "$kty")
now = int(time.time())
claims = {"iss": "$client_id", "sub": "$client_id", "aud": "$issuer", "jti": str(uuid.uuid4()), "iat": now, "exp": now + 60}
answer = requests.post(
    "$issuer/token",
    data={
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "$alg", "kid": "$kid"}, claims, key, algorithms=["$alg"]),
    },
    timeout=10,
)
print(answer.json())
""")

NODE_MACHINE = Template("""\
// npm install openid-client
import * as client from 'openid-client'
$key_lines
const config = await client.discovery(
  new URL('$issuer'), '$client_id', $authentication,$insecure
)
const tokens = await client.clientCredentialsGrant(config)
console.log(tokens.access_token, tokens.expires_in)
""")

DEVICE = Template("""\
// npm install openid-client
import * as client from 'openid-client'
$key_lines
const config = await client.discovery(
  new URL('$issuer'), '$client_id', $authentication,$insecure
)
const device = await client.initiateDeviceAuthorization(config, { scope: '$scope' })
console.log('Open', device.verification_uri, 'on your phone or computer and type', device.user_code)

// asks as often as it may, until the person has answered
const tokens = await client.pollDeviceAuthorizationGrant(config, device)
console.log(tokens.claims())
""")

NAMES = {
    ENVIRONMENT: ".env",
    FLASK: "Python: Flask and Authlib",
    NODE: "JavaScript: openid-client",
    SINGLE_PAGE: "JavaScript: oidc-client-ts",
    LOOPBACK: "JavaScript: openid-client",
    ANDROID: "Android: AppAuth",
    CURL: "curl",
    PYTHON_KEY: "Python: joserfc",
    NODE_MACHINE: "JavaScript: openid-client",
    DEVICE: "JavaScript: openid-client, on a device without a browser",
}
WEB_CRYPTO = {
    "RS256": "{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }",
    "PS256": "{ name: 'RSA-PSS', hash: 'SHA-256' }",
    "ES256": "{ name: 'ECDSA', namedCurve: 'P-256' }",
    "Ed25519": "'Ed25519'",
    "EdDSA": "'Ed25519'",
}


def snippets(client: Client, secret: str | None, issuer: str) -> dict[str, str]:
    """Ready texts by name; all values are filled in. `secret`: the one that has just been made, None for a client that has none."""
    method = client.token_endpoint_auth_method
    redirect_uri = _loopback_first(client)
    values = {
        "issuer": issuer,
        "client_id": client.id,
        "secret": secret or "",
        "redirect_uri": redirect_uri,
        "callback": urlsplit(redirect_uri).path or "/",
        "loopback": urlsplit(redirect_uri).hostname or "",
        "scope": " ".join(client.scopes),
        "secret_line": _secret_line(method, secret),
        "flask_method": ', "token_endpoint_auth_method": "client_secret_post"' if method == "client_secret_post" else "",
        "authentication": _authentication(method, secret),
        "curl_authentication": f"--user '{client.id}:{secret}'"
        if method != "client_secret_post"
        else f"--data client_id={client.id} --data client_secret={secret}",
        "leaving": "".join(f"\n  post_logout_redirect_uri: '{uri}'," for uri in client.post_logout_redirect_uris[:1]),
        # openid-client refuses http unless it is told so.
        "insecure": "\n  { execute: [client.allowInsecureRequests] }," if issuer.startswith("http:") else "",
        "key_lines": "",
    }
    if method == BY_KEY:
        keys = client.jwks["keys"] if client.jwks else [{"kty": "RSA", "kid": "kid-of-your-key"}]  # those at an address may change any day
        key = next(key for key in keys if key.get("use") != "enc")
        algorithm = client_keys.works_by(key)[0]
        values |= {"kid": key["kid"], "kty": key["kty"], "alg": algorithm, "web_crypto": WEB_CRYPTO[algorithm]}
        values["key_lines"] = Template(NODE_KEY).substitute(values)
        values["authentication"] = f"undefined, client.PrivateKeyJwt({{ key, kid: '{key['kid']}' }})"
    return {NAMES[text]: re.sub(r"[ \t]+\n", "\n", text.substitute(values)) for text in _texts(client, redirect_uri)}


def _texts(client: Client, redirect_uri: str) -> tuple[Template, ...]:
    device = (DEVICE,) if registering.DEVICE_CODE in client.grant_types else ()
    return (*_of_kind(client, redirect_uri), *device) if redirect_uri or not device else device


def _of_kind(client: Client, redirect_uri: str) -> tuple[Template, ...]:
    by_key, by_hmac = (client.token_endpoint_auth_method == method for method in (BY_KEY, BY_HMAC))
    if client.kind == registering.MACHINE:
        return (PYTHON_KEY, NODE_MACHINE) if by_key else (NODE_MACHINE,) if by_hmac else (CURL, NODE_MACHINE)
    if client.kind == "single_page":
        return (ENVIRONMENT, SINGLE_PAGE)
    if client.kind == "native":
        return (ENVIRONMENT, LOOPBACK) if redirect_uri.startswith("http://") else (ENVIRONMENT, ANDROID, NODE)
    return (ENVIRONMENT, NODE) if by_key or by_hmac or client.is_public else (ENVIRONMENT, FLASK, NODE)


def _loopback_first(client: Client) -> str:
    """The address to show: of a native app the one on loopback, which can be tried at once."""
    addresses = client.redirect_uris or [""]
    return next((uri for uri in addresses if client.kind == "native" and uri.startswith("http://")), addresses[0])


def _secret_line(method: str, secret: str | None) -> str:
    if secret:
        return f"OIDC_CLIENT_SECRET={secret}"
    if method == BY_KEY:
        return "OIDC_PRIVATE_KEY_FILE=private-key.pem"
    return "# no secret: anybody can read what is in this app. PKCE protects it."


def _authentication(method: str, secret: str | None) -> str:
    """The third and fourth argument of openid-client's discovery."""
    if method == "client_secret_basic":
        return f"undefined, client.ClientSecretBasic('{secret}')"
    if method == BY_HMAC:
        return f"undefined, client.ClientSecretJwt('{secret}')"
    return f"'{secret}', undefined" if secret else "undefined, client.None()"
