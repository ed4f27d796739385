import { expect } from "vitest";
import { type Account, type ApiResponse, api } from "./api.ts";

/**
 * @param staff who reads what staff can
 * @param player whose own data is looked at
 * @returns sends what must be refused, and checks that the answer is a problem document and that nothing has changed
 */
export function createRefusals(staff: Account, player: Account) {
  /** What a refused request must not have changed. */
  async function fingerprint(): Promise<string> {
    const page = (route: string, token: string) => api(route, { token }).then(({ body }) => body);
    return JSON.stringify(
      await Promise.all([
        page("GET /promotions/api/v1/promotions?limit=100", staff.token),
        page("GET /users/api/v1/users?limit=100", staff.token),
        page(`GET /promotions/api/v1/promotions/players/${player.id}`, player.token),
        page("GET /users/api/v1/transactions", player.token),
        page("GET /notifications/api/v1/notifications", player.token),
      ]),
      // When figures were read is no change.
      (key, value) => (key === "asOf" ? undefined : value),
    );
  }

  return async (status: number, code: string, send: () => Promise<ApiResponse>): Promise<ApiResponse> => {
    const before = await fingerprint();
    const answer = await send();
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(answer.body.requestId).toBe(answer.headers.get("x-request-id"));
    expect(answer.body.detail.length).toBeGreaterThan(10);
    expect(await fingerprint()).toBe(before);
    return answer;
  };
}
