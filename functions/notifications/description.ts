/** The OpenAPI document's description. OpenAPI has no WebSockets, so theirs is told here; docs/asyncapi.yaml has it in full. */
export const description = `What players have been told. They see, and mark as read, their own notifications only.

## Live: the WebSocket at \`/notifications/ws\`
Authenticate with the header \`Authorization: Bearer <access token>\`, or in a browser with subprotocols:
\`new WebSocket(url, ["casino.v1", "bearer." + accessToken])\`. Never put a token into the URL.

Without a query the unread notifications come first, the oldest first. \`?cursor=\` with the last \`cursor\` you have
handled resumes there: you get everything after it. Then comes \`ready\`, then what is live. Frames are JSON text:

| from | frame | |
|---|---|---|
| server | \`{"type": "notification", "id", "cursor", "event", "content", "createdAt"}\` | in order, each once per connection. \`event\` is \`PROMOTION\`, \`PROMOTION_EXPIRING\`, \`PROMOTION_EXPIRED\`, \`PROMOTION_REVOKED\` or \`ACCOUNT\`: a new device, a changed password |
| server | \`{"type": "ready", "cursor", "recovered"}\` | you are up to date. \`recovered\` is false without a cursor, or if yours can't be resumed from any more: then only the unread ones were sent, and the list has the others |
| server | \`{"type": "error", "code"}\` | \`invalid_cursor\`: as if there were none; \`invalid_frame\`; \`notification_not_found\`; \`too_many_frames\`, \`database_unavailable\`, \`keys_unavailable\`: send the frame again later |
| client | \`{"type": "read", "id"}\` | marks a notification as read |
| client | \`{"type": "auth", "accessToken"}\` | a fresh token of the same player, before the old one runs out |

| close code | |
|---|---|
| 4401 | no valid token, or it ran out, or the session was revoked: refresh or log in, then reconnect |
| 4408 | you read too slowly: reconnect with your cursor |
| 4429 | too many connections of this player |
| 1008 | twenty bad frames in a row |
| 1006 | the connection was cut: also after a client frame over 16 KiB |
| 1011 | a defect on our side: reconnect with your cursor |
| 1012 | this server restarts: reconnect with your cursor |
| 1013 | tokens can't be checked right now: reconnect in a moment |`;
