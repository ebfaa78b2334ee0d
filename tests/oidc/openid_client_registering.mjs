// npm's openid-client registers itself (dynamicClientRegistration) and signs in. Reads one JSON object from the first line of its input (issuer,
// metadata), writes what is registered and the address to open, reads the address the browser came back to, writes what it got.
import { createInterface } from 'node:readline';
import * as client from 'openid-client';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;
const write = (value) => process.stdout.write(JSON.stringify(value) + '\n');

const given = JSON.parse(await read());
const config = await client.dynamicClientRegistration(new URL(given.issuer), given.metadata);
const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: given.metadata.redirect_uris[0],
  scope: 'openid email offline_access',
  prompt: 'consent',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
});
write({ registered: config.clientMetadata(), address: address.href });
const back = new URL(await read());
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state });
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const userinfo = await client.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub);
write({ claims: tokens.claims(), userinfo });
process.exit();
