/**
 * `npm run test:fuzz`: schemathesis (PyPI) asks the three services what their OpenAPI documents allow and what they don't, as
 * anonymous, player, staff and admin, through nginx. It fails on an answer of the 5xx kind, and on one that is not in the
 * document: status, content type or body. Then the gateway's and Users' gRPC port get what is no frame at all (`edges.ts`).
 *
 * `--examples N` for each operation, `--seed N`, and names of services, or `edges`, for some of it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import getPort from "get-port";
import type { Role } from "../../lib/auth/principal.ts";
import { createTokenSigner } from "../../lib/auth/tokens.ts";
import { newId } from "../../lib/ids.ts";
import { type Stack, startStack } from "../../stack/index.ts";
import { layoutOf, ROOT } from "../../stack/plan/layout.ts";
import { fuzzEdges } from "./edges.ts";

const VERSION = "4.32.5";
const SERVICES = ["users", "promotions", "notifications"];
const EDGES = "edges";
/** To each edge. */
const EDGE_CONNECTIONS = 2_000;
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
];
/** They end the session that asks, or lock it out of the account that the others need. */
const LEFT_OUT = ["logOutEverywhere", "changePassword"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { examples: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const parts = positionals.length === 0 ? [...SERVICES, EDGES] : positionals;
const services = parts.filter((part) => part !== EDGES);

const venv = path.join(ROOT, ".tools", `schemathesis-${VERSION}`);
if (services.length > 0 && !existsSync(path.join(venv, "bin/schemathesis"))) {
  await run("python3", ["-m", "venv", venv]);
  await run(path.join(venv, "bin/pip"), ["install", "--quiet", `schemathesis==${VERSION}`]);
}
const dir = mkdtempSync(path.join(tmpdir(), "casino-fuzz-"));
const stack = await startStack({ dir, port: await getPort() });
let failures = 0;
try {
  const tokens = await createAccounts(stack);
  for (const service of services) {
    for (const [who, token] of Object.entries(tokens)) {
      console.log(`\n${service} as ${who}`);
      const code = await fuzz(service, await token());
      if (code !== 0) failures += 1;
    }
  }
  if (parts.includes(EDGES)) {
    console.log("\nThe gateway and gRPC, with what is no frame");
    if (!(await fuzzOwnEdges(stack))) failures += 1;
  }
} finally {
  await stack.stop();
  rmSync(dir, { recursive: true, force: true });
}
const runs = services.length * 4 + (parts.includes(EDGES) ? 1 : 0);
console.log(`\n${runs - failures} runs passed, ${failures} failed`);
process.exit(failures === 0 ? 0 : 1);

/** @returns whether both live, with the memory that they had */
async function fuzzOwnEdges(system: Stack): Promise<boolean> {
  const sign = await createSigner();
  const nobodies = Array.from({ length: 20 }, () => sign({ id: newId(), role: "player", sessionId: newId() }));
  const processes = system.processes();
  const pidOf = (wanted: string) => processes.find(({ role }) => role === wanted)?.pid ?? 0;
  const gateway = processes.find(({ role }) => role === "gateway");
  const [, grpcPort] = /127\.0\.0\.1:(\d+)/.exec(system.endpoints.usersGrpcTarget) ?? [];
  try {
    const outcome = await fuzzEdges({
      seed: Number(values.seed),
      connections: EDGE_CONNECTIONS,
      gateways: [{ pid: pidOf("gateway"), port: gateway?.port ?? 0 }],
      grpcServers: [{ pid: pidOf("users"), port: Number(grpcPort) }],
      accessTokens: await Promise.all(nobodies),
      serviceToken: system.endpoints.serviceToken,
    });
    console.log(JSON.stringify(outcome));
    return system.processes().every(({ restarts }) => restarts === 0);
  } catch (error) {
    console.error(error);
    return false;
  }
}

function createSigner() {
  const { keys } = JSON.parse(readFileSync(path.join(layoutOf(dir).secrets, "jwt-signing-keys.json"), "utf8"));
  return createTokenSigner(keys[0], { issuer: "casino-users", audience: "casino" });
}

/** Real accounts, and tokens signed anew for each run: they live for minutes. */
async function createAccounts({ url, admin }: Stack) {
  const sign = await createSigner();
  const post = async (route: string, body: unknown, token?: string) => {
    const answer = await fetch(`${url}/users/api/v1/auth/${route}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${route} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as { id: string; accessToken: string };
  };
  const account = (name: string) => ({ email: `${name}-${newId()}@fuzz.example`, password: "correct horse battery" });
  const { accessToken } = await post("login", admin);
  const ids: Record<Role, string> = {
    player: (await post("register", account("player"))).id,
    staff: (await post("register-staff", { ...account("staff"), role: "staff" }, accessToken)).id,
    admin: (await post("register-staff", { ...account("admin"), role: "admin" }, accessToken)).id,
  };
  const tokenOf = (role: Role) => () => sign({ id: ids[role], role, sessionId: newId() });
  return {
    nobody: async () => undefined,
    player: tokenOf("player"),
    staff: tokenOf("staff"),
    admin: tokenOf("admin"),
  };
}

async function fuzz(service: string, token: string | undefined): Promise<number> {
  return run(
    path.join(venv, "bin/schemathesis"),
    [
      "run",
      `${stack.url}/${service}/openapi.json`,
      ...["--checks", CHECKS.join(",")],
      ...["--phases", "examples,coverage,fuzzing,stateful"],
      ...["--max-examples", values.examples],
      ...["--seed", values.seed],
      ...LEFT_OUT.flatMap((id) => ["--exclude-operation-id", id]),
      ...(token === undefined ? [] : ["--header", `Authorization: Bearer ${token}`]),
      "--no-color",
    ],
    { mayFail: true },
  );
}

async function run(command: string, args: string[], { mayFail = false } = {}): Promise<number> {
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0 && !mayFail) throw new Error(`${command} ended with ${code}`);
  return code ?? 1;
}
