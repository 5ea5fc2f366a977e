// A real OpenID provider (npm oidc-provider) on loopback, with a control port for tests. Started by oidc_provider.py.
//
// Reads one JSON document from standard input, prints one JSON line {issuer, control} when it listens, and ends with its
// standard input. What the provider itself does not offer is around it, not in it: a login form, introspection and
// revocation of JWT access tokens, and misbehaviour on demand.
import crypto from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const setup = JSON.parse(await new Promise((resolve) => {
  let text = '';
  process.stdin.on('data', (chunk) => {
    text += chunk;
    if (text.endsWith('\n')) resolve(text);
  });
  process.stdin.on('end', () => process.exit(0));
}));
const { Provider } = await import(pathToFileURL(createRequire(`${setup.modules}/`).resolve('oidc-provider')).href);

const AUDIENCE = setup.audience;
const users = new Map(Object.entries(setup.users)); // sub -> claims
const workloads = new Map(setup.clients.map((client) => [client.client_id, client.claims ?? {}]));
const revoked = { jti: new Set(), sub: new Set() };
const counted = {}; // requests by path
let trouble = {}; // path prefix -> {kind, seconds, status, body, location, times}
let settings = { introspectJwt: true, accessTokenSeconds: setup.lifetime };
let keys = [newKey()];
let provider;

function newKey() {
  const jwk = setup.algorithm === 'ES256'
    ? crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    : crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { ...jwk, use: 'sig', alg: setup.algorithm, kid: crypto.randomBytes(8).toString('hex') };
}

function claimsOf(sub) {
  return users.get(sub) ?? workloads.get(sub) ?? {};
}

// What the provider keeps, so that it outlives a rotation of keys, which builds the provider anew.
const store = new Map();
class Adapter {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload, seconds) {
    store.set(this.key(id), { payload, ends: seconds ? Date.now() + seconds * 1000 : Infinity });
  }

  async find(id) {
    const kept = store.get(this.key(id));
    return kept && kept.ends > Date.now() ? kept.payload : undefined;
  }

  async search(member, value) {
    for (const [key, { payload, ends }] of store) {
      if (key.startsWith(`${this.model}:`) && payload[member] === value && ends > Date.now()) return payload;
    }
    return undefined;
  }

  async findByUid(uid) { return this.search('uid', uid); }

  async findByUserCode(code) { return this.search('userCode', code); }

  async consume(id) { store.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { store.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of store) if (payload.grantId === grantId && key.startsWith(`${this.model}:`)) store.delete(key);
  }
}

function configuration() {
  return {
    adapter: Adapter,
    jwks: { keys },
    cookies: { keys: [setup.cookieKey] },
    clients: setup.clients.map(({ claims, ...client }) => ({ id_token_signed_response_alg: setup.algorithm, ...client })),
    clientDefaults: { id_token_signed_response_alg: setup.algorithm },
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups', 'act', 'idtyp', '_claim_names'] },
    scopes: ['openid', 'offline_access', 'groups', 'profile'],
    ttl: {
      AccessToken: () => settings.accessTokenSeconds,
      ClientCredentials: () => settings.accessTokenSeconds,
      IdToken: () => settings.accessTokenSeconds,
      AuthorizationCode: 60, DeviceCode: 600, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400,
    },
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: false,
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: async (ctx, sub) => (users.has(sub)
      ? { accountId: sub, claims: async () => ({ ...users.get(sub), sub }) } : undefined),
    extraTokenClaims: async (ctx, token) => claimsOf(token.accountId ?? token.clientId),
    renderError: async (ctx, out) => {
      ctx.type = 'html';
      ctx.body = page('Provider error', `<p id="error">${escaped(`${out.error}: ${out.error_description ?? ''}`)}</p>`);
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      revocation: { enabled: true, allowedPolicy: async () => true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Without a resource the access token is opaque and good for userinfo; workloads always want ours.
        defaultResource: async (ctx, client) => (client.grantTypeAllowed('client_credentials') ? AUDIENCE : undefined),
        useGrantedResource: async () => true,
        getResourceServerInfo: async () => ({
          scope: 'openid profile groups offline_access', audience: AUDIENCE, accessTokenFormat: 'jwt',
          accessTokenTTL: settings.accessTokenSeconds, jwt: { sign: { alg: setup.algorithm } },
        }),
      },
    },
  };
}

const tokens = new Map(); // jti -> grantId or null, of JWT access tokens; bounded
function remember(token) {
  tokens.set(token.jti, token.grantId ?? null);
  if (tokens.size > 10000) tokens.delete(tokens.keys().next().value);
}

function rebuild() {
  const made = new Provider(setup.issuer, configuration());
  made.proxy = false;
  made.on('access_token.issued', remember);
  made.on('client_credentials.issued', remember);
  made.on('server_error', (ctx, error) => process.stderr.write(`${error.stack}\n`));
  provider = made;
  answer = made.callback();
}
let answer;

const escaped = (value) => String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (title, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`;

function send(res, status, body, headers = {}) {
  const raw = typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json',
    'content-length': Buffer.byteLength(raw), 'cache-control': 'no-store', ...headers,
  });
  res.end(raw);
}

async function form(req) {
  let raw = '';
  for await (const chunk of req) {
    raw += chunk;
    if (raw.length > 65536) throw new Error('form too large');
  }
  return raw;
}

async function interaction(req, res) {
  const details = await provider.interactionDetails(req, res);
  const { prompt, params, session, uid } = details;
  if (prompt.name === 'login' && req.method !== 'POST') {
    send(res, 200, page('Provider login', `<form method="post" action="/interaction/${uid}">
      <label>User <input name="login" autofocus></label> <button name="do" value="login">Log in</button>
      <button name="do" value="cancel">Cancel</button></form>`));
    return;
  }
  let sub = session?.accountId;
  if (prompt.name === 'login') {
    const said = new URLSearchParams(await form(req));
    if (said.get('do') === 'cancel') {
      await provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the person cancelled' });
      return;
    }
    sub = said.get('login');
    if (!users.has(sub)) {
      send(res, 403, page('Provider login', `<p id="error">no user ${escaped(sub)}</p>`));
      return;
    }
    await provider.interactionFinished(req, res, { login: { accountId: sub, remember: false } });
    return;
  }
  // Consent is always given: what is asked for is the client's, and the clients are ours.
  const grant = details.grantId ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId: sub, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

async function clientOf(req, said) {
  const [scheme, value] = (req.headers.authorization ?? '').split(' ');
  const [id, secret] = scheme === 'Basic' ? Buffer.from(value, 'base64').toString().split(':').map(decodeURIComponent)
    : [said.get('client_id'), said.get('client_secret')];
  const known = setup.clients.find((client) => client.client_id === id);
  return known && known.client_secret && known.client_secret === secret ? known : undefined;
}

// The provider refuses structured tokens at both endpoints; this gives the state of the grant behind one.
async function structured(req, res, path, raw) {
  const said = new URLSearchParams(raw);
  if (!await clientOf(req, said)) return send(res, 401, { error: 'invalid_client' });
  const claims = JSON.parse(Buffer.from(said.get('token').split('.')[1], 'base64url').toString());
  if (path === '/token/revocation') {
    revoked.jti.add(claims.jti);
    return send(res, 200, '');
  }
  const grantId = tokens.get(claims.jti);
  const alive = tokens.has(claims.jti) && claims.exp > Date.now() / 1000 && !revoked.jti.has(claims.jti)
    && !revoked.sub.has(claims.sub) && (grantId === null || await provider.Grant.find(grantId) !== undefined);
  return send(res, 200, alive ? { active: true, ...claims } : { active: false });
}

function misbehave(path, req, res) {
  const found = Object.keys(trouble).filter((prefix) => path.startsWith(prefix)).sort((a, b) => b.length - a.length)[0];
  if (found === undefined) return false;
  const how = trouble[found];
  if (how.times !== undefined && --how.times <= 0) delete trouble[found];
  switch (how.kind) {
    case 'slow':
      setTimeout(() => { if (!res.destroyed) serve(req, res, path); }, how.seconds * 1000);
      return true;
    case 'down': req.socket.destroy(); return true;
    case 'error': send(res, how.status ?? 503, { error: 'temporarily_unavailable' }); return true;
    case 'junk': send(res, 200, how.body ?? '<html>not what you asked for', { 'content-type': 'application/json' }); return true;
    case 'redirect': send(res, 302, '', { location: how.location }); return true;
    case 'flood': {
      res.writeHead(200, { 'content-type': 'application/json' });
      const block = Buffer.alloc(65536, 0x20);
      const more = () => { while (!res.destroyed && res.write(block)); };
      res.on('drain', more); more();
      return true;
    }
    default: throw new Error(`unknown trouble ${how.kind}`);
  }
}

async function serve(req, res, path) {
  try {
    if (path.startsWith('/interaction/')) return await interaction(req, res);
    if (req.method === 'POST' && (path === '/token/introspection' || path === '/token/revocation') && settings.introspectJwt) {
      const raw = await form(req);
      if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(new URLSearchParams(raw).get('token') ?? '')) return await structured(req, res, path, raw);
      req.body = raw;
    }
    return answer(req, res);
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    if (!res.headersSent) send(res, 400, page('Provider error', `<p id="error">${escaped(error.message)}</p>`));
    return undefined;
  }
}

const controls = {
  rotate: ({ keep = true }) => {
    keys = [newKey(), ...(keep ? keys.slice(0, 3) : [])];
    rebuild();
    return { kid: keys[0].kid };
  },
  trouble: (asked) => { trouble = asked; return {}; },
  revoke: ({ jti, sub }) => {
    if (jti) revoked.jti.add(jti);
    if (sub) revoked.sub.add(sub);
    return {};
  },
  restore: ({ sub }) => ({ was: revoked.sub.delete(sub) }),
  settings: (asked) => { settings = { ...settings, ...asked }; return settings; },
  redirects: ({ client_id, redirect_uris }) => {
    setup.clients.find((client) => client.client_id === client_id).redirect_uris = redirect_uris;
    rebuild();
    return {};
  },
  user: ({ sub, claims }) => { users.set(sub, claims); return {}; },
  drop: ({ sub }) => ({ was: users.delete(sub) }),
  counted: () => counted,
};

const listen = (server) => new Promise((resolve) => {
  server.listen({ host: '127.0.0.1', port: 0 }, () => resolve(server.address().port));
});

const receive = (req, res) => {
  const path = new URL(req.url, 'http://x').pathname;
  const kind = path.replace(/^(\/(?:interaction|auth|device))\/.*/, '$1/*');
  counted[kind] = (counted[kind] ?? 0) + 1;
  if (!misbehave(path, req, res)) serve(req, res, path);
};
const front = setup.tls ? https.createServer(setup.tls, receive) : http.createServer(receive);
const port = await listen(front);
setup.issuer = setup.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
rebuild();

const control = http.createServer(async (req, res) => {
  if (req.headers.authorization !== `Bearer ${setup.controlKey}`) return send(res, 401, {});
  try {
    const act = controls[req.url.slice(1)];
    return act ? send(res, 200, act(JSON.parse(await form(req) || '{}'))) : send(res, 404, {});
  } catch (error) {
    return send(res, 500, { error: error.message });
  }
});
const controlPort = await listen(control);
process.stdout.write(`${JSON.stringify({ issuer: setup.issuer, control: `http://127.0.0.1:${controlPort}` })}\n`);
