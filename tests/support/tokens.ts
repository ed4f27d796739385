import { readFileSync } from "node:fs";
import path from "node:path";
import { createTokenSigner } from "../../lib/auth/tokens.ts";
import { newId } from "../../lib/ids.ts";
import { layoutOf } from "../../stack/plan/layout.ts";
import type { Account } from "./api.ts";
import { servers } from "./servers.ts";

/** What every service asks of a token by default. */
const AUDIENCE = { issuer: "casino-users", audience: "casino" };

/**
 * @returns the player with an access token of a session that nobody knows, signed now with Users' own key: as one that was
 * handed out just before the player was suspended, of which no service has heard that its session has ended
 */
export async function withUnknownSession(player: Account): Promise<Account> {
  const file = path.join(layoutOf(servers.stackDir).secrets, "jwt-signing-keys.json");
  const sign = await createTokenSigner(JSON.parse(readFileSync(file, "utf8")).keys[0], AUDIENCE);
  return { ...player, token: await sign({ id: player.id, role: "player", sessionId: newId() }) };
}
