import { hash, verify } from "@node-rs/argon2";

/** How many passwords a second this machine hashes, or verifies, with the parameters of domain/users/passwords/passwords.ts. */
const [, , what, countText = "200"] = process.argv;
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const AT_ONCE = 8;
const known = await hash("correct horse battery", PARAMETERS);
const one =
  what === "hash" ? () => hash("correct horse battery", PARAMETERS) : () => verify(known, "correct horse battery");

let left = Number(countText);
const startedAt = performance.now();
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await one();
  }),
);
console.log((Number(countText) * 1_000) / (performance.now() - startedAt));
