// A provider that is not ours: npm's oidc-provider (certified by the OpenID Foundation), for people of whom it believes any name.
//
// One line of JSON in: port, clients (their metadata). One line out when it listens. It ends when its input does.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

console.info = console.warn = () => {}; // it warns of what a deployment should not do
const [line] = await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next().then(({ value }) => [value]);
const given = JSON.parse(line);
const issuer = `http://127.0.0.1:${given.port}`;

const made = (kind, options, more) => ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more });
const provider = new Provider(issuer, {
  clients: given.clients,
  jwks: {
    keys: [
      made('rsa', { modulusLength: 2048 }, { kid: 'r', alg: 'RS256' }),
      made('rsa', { modulusLength: 2048 }, { kid: 'p', alg: 'PS256' }),
      made('ec', { namedCurve: 'P-256' }, { kid: 'e', alg: 'ES256' }),
      made('ed25519', {}, { kid: 'd', alg: 'Ed25519' }),
    ],
  },
  enabledJWA: {
    idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'Ed25519'],
    clientAuthSigningAlgValues: ['ES256', 'RS256'],
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'profile', 'email'],
  cookies: { keys: ['of one test'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `Them ${id}`, email: 'anna@post.example', email_verified: true }) }),
});

const page = `<!doctype html><title>Theirs</title><h1>Sign in to theirs</h1><form method="post">
<label>Who are you? <input name="login"></label><button name="answer" value="yes">Allow</button><button name="answer" value="no">Deny</button></form>`;

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.setHeader('Content-Type', 'text/html').end(page);
    return;
  }
  let body = '';
  for await (const piece of request) body += piece;
  const form = new URLSearchParams(body);
  if (form.get('answer') === 'no') {
    await provider.interactionFinished(request, response, { error: 'access_denied' });
    return;
  }
  const accountId = form.get('login');
  const grant = new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope('openid profile email');
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login: { accountId, remember: false }, consent });
}

const protocol = provider.callback();
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return protocol(request, response);
  return interact(request, response).catch((e) => response.writeHead(500).end(String(e)));
});
server.listen(given.port, '127.0.0.1', () => process.stdout.write('{"ready": true}\n'));
process.stdin.on('end', () => process.exit(0));
