import { type Answer, type Client, type Delivery, ONCE } from "./client.ts";

const PASSWORD = "a-long-enough-password";

/** Somebody who is logged in, and logs in again when their token has run out. */
export interface Session {
  email: string;
  id: string;
  token: () => string;
  /** For `Client.call`: logs in again after a 401. */
  onRetry: (answers: Answer[]) => Promise<void>;
  renew: () => Promise<void>;
}

/** Registers a player; that the e-mail is taken means that an earlier copy of the same request did it. */
export async function register(client: Client, email: string, delivery: Delivery): Promise<void> {
  await client.call("POST /users/api/v1/auth/register", {
    json: { email, password: PASSWORD },
    delivery,
    isSettled: ({ status, body }) => status === 409 && body.code === "email_taken",
  });
}

export async function logIn(
  client: Client,
  { email, password = PASSWORD, delivery = ONCE }: { email: string; password?: string; delivery?: Delivery },
): Promise<Session> {
  let token = "";
  const renew = async () => {
    const [{ body }] = await client.call("POST /users/api/v1/auth/login", {
      json: { email, password },
      delivery,
    });
    token = body.accessToken;
  };
  await renew();
  const session = {
    email,
    token: () => token,
    renew,
    onRetry: async (answers: Answer[]) => {
      if (answers.some(({ status }) => status === 401)) await renew();
    },
  };
  const [{ body }] = await client.call("GET /users/api/v1/users/me", session);
  return { ...session, id: body.id };
}
