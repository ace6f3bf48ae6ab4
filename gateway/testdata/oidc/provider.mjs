// An OpenID provider for tests: oidc-provider, set up as a company would.
//
//   node provider.mjs SETTINGS
//
// SETTINGS is JSON: module (the file of oidc-provider), cert and key (PEM files),
// port (0: any), logout (where logout tokens are posted; absent: nowhere), keys
// (the generations to begin with, see below).
//
// It tells its address on the first line of its output. Then it is told, line by
// line, which of its generations of keys to use: `keys 2 1` signs with the second
// and publishes both; a generation is made when it is first named. It says `keys`
// when that holds. It ends with its input, so that it cannot outlive who started it.
import { createServer } from 'node:https';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

if (!URL.parse) process.exit(3); // what oidc-provider needs of Node is not there

console.info = () => {}; // oidc-provider's advice on what is left at its default

const settings = JSON.parse(process.argv[2]);
const { Provider, interactionPolicy } = await import(pathToFileURL(settings.module).href);

// Who there is. What a token says of somebody comes from here.
const accounts = {
  alice: { role: 'payroll', tenant: 'acme', branch: 'berlin' },
  bob: { role: 'clerk', tenant: 'acme', branch: 'oslo' },
  carol: { role: 'clerk', tenant: 'globex', branch: 'lima' },
};
const services = { billing: { role: 'service', tenant: 'acme' } };

// The interfaces that tokens are for (RFC 8707).
const resources = {
  'https://erp.example.com': { audience: 'erp', accessTokenFormat: 'jwt' },
  'https://crm.example.com': { audience: 'crm', accessTokenFormat: 'jwt' },
  'https://opaque.erp.example.com': { audience: 'erp', accessTokenFormat: 'opaque' },
  'https://opaque.crm.example.com': { audience: 'crm', accessTokenFormat: 'opaque' },
};

// What is kept outlives the provider, which is made anew with each set of keys.
const kept = new Map();
class Store {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model} ${id}`; }
  async upsert(id, payload) { kept.set(this.key(id), payload); }
  async find(id) { return kept.get(this.key(id)); }
  async findByUid(uid) {
    for (const [k, v] of kept) if (k.startsWith(`${this.model} `) && v.uid === uid) return v;
  }
  async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const [k, v] of kept) if (k.startsWith(`${this.model} `) && v.grantId === grantId) kept.delete(k);
  }
}

const generations = new Map();
function generation(name) {
  if (!generations.has(name)) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    generations.set(name, { ...privateKey.export({ format: 'jwk' }), kid: `g${name}`, use: 'sig', alg: 'RS256' });
  }
  return generations.get(name);
}

// Nobody is signed in without a second factor where one is asked for, signed in
// before or not (RFC 9470, section 5).
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check('acr_values', 'a second factor is asked for', ({ oidc }) => {
  const asked = oidc.params.acr_values?.split(' ') ?? [];
  return asked.length > 0 && !asked.includes(oidc.session.acr);
}));

function provider(issuer, keys) {
  return new Provider(issuer, {
    adapter: Store,
    jwks: { keys: keys.map(generation) },
    cookies: { keys: ['of tests'] },
    scopes: ['openid', 'offline_access'],
    acrValues: ['urn:example:mfa'],
    clients: [
      {
        client_id: 'app', client_secret: 'the secret of the app', redirect_uris: ['https://app.example.com/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        backchannel_logout_uri: settings.logout || 'https://localhost:9/nobody', backchannel_logout_session_required: true,
      },
      { client_id: 'billing', client_secret: 'the secret of billing', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      { client_id: 'gateway', client_secret: 'the secret of the gateway', grant_types: [], redirect_uris: [], response_types: [] },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client, token) => client.clientId === 'gateway' || client.clientId === token.clientId },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({ scope: 'erp', accessTokenTTL: 300, ...resources[resource] }),
      },
    },
    pkce: { required: () => true },
    claims: { openid: ['sub', 'sid', 'acr', 'amr', 'auth_time'] },
    interactions: { policy, url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id }) },
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    loadExistingGrant: async ({ oidc }) => { // everybody consents
      const before = oidc.session.grantIdFor(oidc.client.clientId);
      if (before) return oidc.provider.Grant.find(before);
      const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
      grant.addOIDCScope('openid offline_access');
      for (const r of Object.keys(resources)) grant.addResourceScope(r, 'erp');
      await grant.save();
      return grant;
    },
    extraTokenClaims: ({ oidc }, token) => {
      if (token.kind === 'ClientCredentials') return services[token.clientId];
      const { acr, amr, authTime } = oidc.entities.AuthorizationCode ?? oidc.entities.RefreshToken;
      return { ...accounts[token.accountId], sid: token.sid, acr, amr, auth_time: authTime };
    },
    // Logout tokens go to a gateway on this machine, which oidc-provider guards against,
    // and which may take longer there than the 2.5 s that it grants.
    fetch: (url, { dispatcher, signal, ...options }) => fetch(url, options),
    renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
  });
}

// The page where people sign in: who they are is all that is asked, and whether
// they have a second factor at hand.
async function interact(req, res) {
  const { params } = await current.interactionDetails(req, res);
  if (req.method === 'GET') {
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ acr_values: params.acr_values }));
    return;
  }
  let body = '';
  for await (const chunk of req) body += chunk;
  const form = new URLSearchParams(body);
  const otp = form.get('otp') === 'yes';
  await current.interactionFinished(req, res, accounts[form.get('login')] ? {
    login: { accountId: form.get('login'), amr: otp ? ['pwd', 'otp'] : ['pwd'], ...(otp && { acr: 'urn:example:mfa' }) },
  } : { error: 'access_denied', error_description: 'nobody of this name' });
}

let current;
let serve;
const server = createServer({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, async (req, res) => {
  try {
    await (req.url.startsWith('/interaction/') ? interact(req, res) : serve(req, res));
  } catch (err) {
    res.statusCode = 500;
    res.end(String(err));
  }
});

function use(keys) {
  current = provider(`https://localhost:${server.address().port}`, keys);
  current.on('server_error', (_, err) => console.error(err));
  current.on('backchannel.error', (_, err) => console.error('logout token:', err));
  serve = current.callback();
}

server.listen(settings.port, '127.0.0.1', () => {
  use(settings.keys.split(' '));
  console.log(current.issuer);
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    use(line.split(' ').slice(1));
    console.log('keys');
  });
  input.on('close', () => process.exit(0));
});
