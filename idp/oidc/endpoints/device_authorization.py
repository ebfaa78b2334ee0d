"""`POST /device_authorization` (RFC 8628 §3.1, §3.2): a device without a browser asks for a code to show."""

from __future__ import annotations

from idp.config import settings
from idp.credentials import trusted_device
from idp.delegation import device_authorizations, registering
from idp.errors import OAuthRefusal
from idp.oidc import arrivals, authorization_request, guard
from idp.oidc.endpoints.token import server
from idp.oidc.server import ProtocolRequest
from idp.web.faces import json_response
from idp.web.http import Request, Response

# Nobody is there to be asked without a page, and what a signed request would say is not left aside.
NOT_HERE = ("request", "request_uri", "authorization_details")


def device_authorization(request: Request) -> Response:
    """Two codes, one for the device and one for the person. The client says who it is as at the token endpoint; raises OAuthRefusal."""
    asked = ProtocolRequest("POST", guard.form_only(request), authorization=request.header("Authorization"))
    named = trusted_device.name_of(request.user_agent)  # before the transaction begins: it takes its time
    client = server.authenticate_client(asked, [], "device_authorization").client
    if registering.DEVICE_CODE not in client.grant_types:
        raise OAuthRefusal("unauthorized_client", "This client is not registered for devices. Its operator can allow it (grant types).")
    sent = asked.parameters
    for name in NOT_HERE:
        if name in sent:
            raise OAuthRefusal("invalid_request", f"The parameter {name} is not supported at the device authorization endpoint.")
    if client.is_public:  # nobody has to prove anything to fill the table with these
        arrivals.admit(request.network)
    wishes = authorization_request.wishes(client, sent)
    if "none" in wishes.prompts:
        raise OAuthRefusal("invalid_request", "prompt=none cannot be met: a person answers at another screen.")
    begun = device_authorizations.begin(wishes, network=request.network, device_name=named)
    address = f"{settings().server.issuer}/device"
    return json_response(
        {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": address,
            "verification_uri_complete": f"{address}?user_code={begun.user_code}",
            "expires_in": begun.lifetime,
            "interval": begun.pause,
        }
    )
