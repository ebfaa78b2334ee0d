// A sign-in with npm's openid-client, all defaults. Reads one JSON object from the first line of its input (issuer, client_id, secret,
// redirect_uri, method, scope; metadata of the client that the library has to know; decrypt, keys of its own; checked: also signatures that TLS
// makes unnecessary), writes the address to open, reads the address the browser came back to, writes what it got.
import { createInterface } from 'node:readline';
import * as client from 'openid-client';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;
const write = (value) => process.stdout.write(JSON.stringify(value) + '\n');

const given = JSON.parse(await read());
const key = given.pkcs8
  ? await crypto.subtle.importKey('pkcs8', Buffer.from(given.pkcs8, 'base64'), given.algorithm, false, ['sign'])
  : undefined;
const methods = {
  default: () => undefined,
  basic: () => client.ClientSecretBasic(given.secret),
  post: () => client.ClientSecretPost(given.secret),
  none: () => client.None(),
  client_secret_jwt: () => client.ClientSecretJwt(given.secret),
  private_key_jwt: () => client.PrivateKeyJwt({ key, kid: given.kid }),
};
const registered = given.metadata ? { ...given.metadata, client_secret: given.secret } : (given.secret ?? undefined);
const config = await client.discovery(new URL(given.issuer), given.client_id, registered, methods[given.method]());
if (given.decrypt) {
  const { jwk, algorithm, usages, ...named } = given.decrypt;
  client.enableDecryptingResponses(config, undefined, { key: await crypto.subtle.importKey('jwk', jwk, algorithm, false, usages), ...named });
}
if (given.checked) client.enableNonRepudiationChecks(config);

if (given.flow === 'device') {
  const device = await client.initiateDeviceAuthorization(config, { scope: given.scope });
  // It asks while the person is still on their way; whatever it hears too early, it goes on by itself.
  const asking = client.pollDeviceAuthorizationGrant(config, device).then(
    async (tokens) => {
      const claims = tokens.claims();
      const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
      const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
      return { claims, userinfo, refreshed: refreshed.claims(), scope: tokens.scope };
    },
    (e) => ({ error: e.error ?? e.code ?? String(e) }),
  );
  write({ device });
  await read();
  write(await asking);
  process.exit();
}

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const asked = {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
};
// Signed as a request object (RFC 9101) where there is a key to sign with.
const address = given.signed
  ? await client.buildAuthorizationUrlWithJAR(config, asked, { key, kid: given.kid })
  : client.buildAuthorizationUrl(config, asked);
write({ address: address.href });

const back = new URL(await read());
try {
  const tokens = await client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
    maxAge: 600,
  });
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  const again = await client.fetchUserInfo(config, refreshed.access_token, claims.sub);
  // RFC 7662, for those who can prove themselves; RFC 7009, for all.
  const introspected = given.method === 'none' ? null : await client.tokenIntrospection(config, refreshed.access_token);
  await client.tokenRevocation(config, refreshed.refresh_token);
  const after = introspected && (await client.tokenIntrospection(config, refreshed.access_token, { token_type_hint: 'access_token' }));
  const gone = await client.refreshTokenGrant(config, refreshed.refresh_token).then(() => null, (e) => e.error);
  const leave = client.buildEndSessionUrl(config, { post_logout_redirect_uri: given.signed_out, id_token_hint: tokens.id_token, state });
  write({ claims, userinfo, scope: tokens.scope, refreshed: refreshed.claims(), again, asked: introspected, after, gone, leave: leave.href, state });
} catch (e) {
  write({ error: e.error ?? e.code ?? String(e), description: e.error_description ?? e.cause?.message ?? e.message });
}
