import { createLocalJWKSet, importJWK, type JWK, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTokenVerifier } from "../../../lib/auth/tokens.ts";
import { newId } from "../../../lib/ids.ts";
import { until } from "../../../tests/support/until.ts";
import {
  AUDIENCE,
  createPlayer,
  createUsersClient,
  createUsersContext,
  createUsersDeps,
  newSigningKey,
} from "../../../tests/support/users-service.ts";
import { publicJwks, signingKeysSchema } from "./signing-keys.ts";

let ctx: Awaited<ReturnType<typeof createUsersContext>>;
let deps: Awaited<ReturnType<typeof createUsersDeps>>;
let client: Awaited<ReturnType<typeof createUsersClient>>;
let playerId: string;
beforeAll(async () => {
  ctx = await createUsersContext();
  deps = await createUsersDeps(ctx);
  client = await createUsersClient(deps);
  playerId = (await createPlayer(ctx)).id;
});
afterAll(() => ctx.stop());

interface Forgery {
  key?: JWK;
  alg?: string;
  typ?: string;
  kid?: string;
  issuer?: string;
  audience?: string;
  expiresAt?: string | number;
  claims?: Record<string, unknown>;
}

/** A token as login signs it, but for what the forgery changes. */
async function forge(forgery: Forgery = {}): Promise<string> {
  const { alg = "EdDSA", typ = "at+jwt", issuer = AUDIENCE.issuer, audience = AUDIENCE.audience } = forgery;
  const key = forgery.key ?? (deps.keys[0] as JWK);
  return new SignJWT({ role: "player", sid: newId(), sub: playerId, ...forgery.claims })
    .setProtectedHeader({ alg, typ, kid: forgery.kid ?? "first" })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(forgery.expiresAt ?? "10m")
    .sign(await importJWK(key, alg));
}

const me = (token: string) => client.send("GET /api/v1/users/me", { token });

test("a token that is right in everything lets its user in", async () => {
  expect(await me(await forge())).toMatchObject({ status: 200, body: { id: playerId } });
});

test("a key that is published but does not sign any more still verifies", async () => {
  expect((await me(await forge({ key: deps.keys[1] as JWK, kid: "second" }))).status).toBe(200);
});

const past = () => Math.floor(Date.now() / 1000) - 60;
/** HMAC with the public key as its secret: the classic confusion of algorithms. */
const publicKeyAsSecret = (): JWK => ({ kty: "oct", k: String(deps.jwks.keys[0]?.x) });

test.each<[string, () => Promise<string> | string, string]>([
  ["alg none", () => unsecured(), "token_invalid"],
  ["HS256 with the public key", () => forge({ alg: "HS256", key: publicKeyAsSecret() }), "token_invalid"],
  ["another key", async () => forge({ key: await newSigningKey("first") }), "token_invalid"],
  ["an unknown key", async () => forge({ key: await newSigningKey("x"), kid: "x" }), "token_invalid"],
  ["another audience", () => forge({ audience: "someone-else" }), "token_invalid"],
  ["another issuer", () => forge({ issuer: "someone-else" }), "token_invalid"],
  ["another type", () => forge({ typ: "JWT" }), "token_invalid"],
  ["expired", () => forge({ expiresAt: past() }), "token_expired"],
  ["an unknown role", () => forge({ claims: { role: "root" } }), "token_invalid"],
  ["no session", () => forge({ claims: { sid: undefined } }), "token_invalid"],
  ["a subject that is no id", () => forge({ claims: { sub: "admin" } }), "token_invalid"],
  ["a changed payload", async () => (await forge()).replace(/\..+\./, ".eyJzdWIiOiJ4In0."), "token_invalid"],
  ["not a token", () => "not-a-token", "token_invalid"],
])("refused: %s", async (_, token, code) => {
  const answer = await me(await token());
  expect(answer).toMatchObject({ status: 401, body: { code } });
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
});

function unsecured(): string {
  const token = new UnsecuredJWT({ role: "admin", sid: newId(), sub: playerId })
    .setIssuer(AUDIENCE.issuer)
    .setAudience(AUDIENCE.audience)
    .setIssuedAt()
    .setExpirationTime("10m")
    .encode();
  const header = Buffer.from(JSON.stringify({ alg: "none", typ: "at+jwt" })).toString("base64url");
  return token.replace(/^[^.]*/, header);
}

test.each(["Basic abc", "Bearer", "Bearer a b"])(
  "an Authorization header that is no bearer token: %s",
  async (value) => {
    const answer = await client.send("GET /api/v1/users/me", { headers: { authorization: value } });
    expect(answer).toMatchObject({ status: 401, body: { code: "token_invalid" } });
  },
);

test("a token whose signature is known still runs out", async () => {
  const expiresAt = Math.ceil(Date.now() / 1000);
  const token = await forge({ expiresAt });
  expect(await me(token)).toMatchObject({ status: 200 });
  const refused = await until("it has run out", async () => {
    const answer = await me(token);
    return answer.status !== 200 && answer;
  });
  expect(refused).toMatchObject({ status: 401, body: { code: "token_expired" } });
  // The seconds by which clocks may differ.
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(expiresAt + 5);
});

test("a token whose signature is known is refused when its key is withdrawn, and nothing like it gets in", async () => {
  let keys = createLocalJWKSet(deps.jwks);
  const verify = createTokenVerifier((...asked) => keys(...asked), AUDIENCE);
  const token = await forge({ key: deps.keys[1] as JWK, kid: "second" });
  for (let time = 0; time < 2; time++) expect(await verify(token)).toMatchObject({ id: playerId });
  const [header, payload, signature] = token.split(".") as [string, string, string];
  const other = await forge({ key: deps.keys[1] as JWK, kid: "second", claims: { role: "admin" } });
  for (const forged of [
    `${header}.${payload}.${other.split(".")[2]}`,
    `${header}.${other.split(".")[1]}.${signature}`,
  ]) {
    await expect(verify(forged)).rejects.toMatchObject({ code: "token_invalid" });
  }
  keys = createLocalJWKSet({ keys: deps.jwks.keys.filter(({ kid }) => kid !== "second") });
  await expect(verify(token)).rejects.toMatchObject({ code: "token_invalid" });
});

test("the JWKS has all keys, the public halves only, and may be cached", async () => {
  const { body, headers } = await client.send("GET /.well-known/jwks.json");
  expect(headers.get("cache-control")).toBe("public, max-age=300");
  expect(body).toEqual(publicJwks(deps.keys));
  expect(body.keys.map(({ kid }: { kid: string }) => kid)).toEqual(["first", "second"]);
  expect(Object.keys(body.keys[0]).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
});

test.each(["not json", "{}", '{"keys":[]}', '{"keys":[{"kty":"RSA","kid":"a"}]}'])(
  "signing keys that can't sign stop the boot: %s",
  (text) => {
    expect(signingKeysSchema.safeParse(text).success).toBe(false);
  },
);
